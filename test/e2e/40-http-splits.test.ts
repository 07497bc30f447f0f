// Messages in every possible piece: what arrives together or apart means the same.
import { expect, it } from 'vitest';
import { expectNothingHeld, startHttp } from '../fixtures/http-balancers.ts';
import { askOnce, chunked, get, HttpClient, post, postChunked } from '../fixtures/http-clients.ts';
import { describeCall, type Serve, startHttpOrigin } from '../fixtures/http-origins.ts';
import { forEachEngine, pause, useScene } from '../fixtures/scene.ts';

const scene = useScene();

const answers: Readonly<Record<string, Buffer>> = {
  length: Buffer.from(
    'HTTP/1.1 200 OK\r\nServer: odd\r\nContent-Length: 11\r\nX-Long: a b  c\r\n\r\nhello\r\n\r\n12',
  ),
  chunked: Buffer.concat([
    Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'),
    chunked(['hello', '\r\n\r\n1', '2'], 'X-Sum: 3\r\n'),
  ]),
  hinted: Buffer.from(
    'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n' +
      'hello\r\n\r\n12',
  ),
};

// Of a path like /chunked/17: that answer, in two pieces.
const split: Serve = async (call) => {
  const [, which = '', at = ''] = call.path.split('/');
  const answer = answers[which] ?? Buffer.alloc(0);
  if (at === 'each') {
    for (const byte of answer) {
      call.socket.write(Buffer.from([byte]));
      await pause(0);
    }
    return;
  }
  call.socket.write(answer.subarray(0, Number(at)));
  await pause(4);
  call.socket.write(answer.subarray(Number(at)));
};

async function inPieces<T>(count: number, work: (at: number) => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  for (let at = 1; at < count; at += 40) {
    const some = Array.from({ length: Math.min(40, count - at) }, (_, index) => work(at + index));
    all.push(...(await Promise.all(some)));
  }
  return all;
}

forEachEngine((engine) => {
  const requests: Readonly<Record<string, Buffer>> = {
    'with a length': post('0123456789', '/x', 'X-A: b\r\nAccept: */*\r\n'),
    'in chunks': postChunked(['0123', '456', '789'], '/x', 'X-Sum: 1\r\n'),
    'with another behind it': Buffer.concat([post('0123456789', '/x'), Buffer.from(get('/y'))]),
  };

  it.each(Object.keys(requests))('a request %s is the same at every split', async (name) => {
    const request = requests[name] ?? Buffer.alloc(0);
    const origin = await startHttpOrigin(scene, describeCall);
    const http = await startHttp(scene, engine, [origin.address]);
    const whole = await askOnce(http.target, request);
    expect(whole.text).toBe('origin POST /x 10\n');
    const texts = await inPieces(request.length, async (at) => {
      const client = await new HttpClient(http.target).opened();
      try {
        await client.send(request.subarray(0, at));
        await pause(4);
        await client.send(request.subarray(at));
        const { text } = await client.answer();
        return request.includes('GET /y') ? `${text}${(await client.answer()).text}` : text;
      } finally {
        client.close();
      }
    });
    const second = request.includes('GET /y') ? 'origin GET /y 0\n' : '';
    expect(new Set(texts)).toEqual(new Set([`${whole.text}${second}`]));
    const heads = origin.calls.filter(({ path }) => path === '/x').map(({ head }) => head.text);
    expect(heads).toHaveLength(request.length);
    expect(new Set(heads).size).toBe(1);
    await expectNothingHeld(http);
  });

  it.each(Object.keys(answers))('an answer (%s) is the same at every split', async (name) => {
    const origin = await startHttpOrigin(scene, split);
    const http = await startHttp(scene, engine, [origin.address]);
    const { length } = answers[name] ?? '';
    const seen = await inPieces(length, async (at) => {
      const { text, trailers, head, interim } = await askOnce(http.target, get(`/${name}/${at}`));
      return JSON.stringify([text, trailers, head.text, interim.map((one) => one.text)]);
    });
    expect(seen).toHaveLength(length - 1);
    expect(new Set(seen).size).toBe(1);
    const [text, trailers] = JSON.parse(seen[0] ?? '') as [string, string[]];
    expect(text).toBe('hello\r\n\r\n12');
    expect(trailers).toEqual(name === 'chunked' ? ['X-Sum: 3'] : []);
    expect((await askOnce(http.target, get(`/${name}/each`))).text).toBe('hello\r\n\r\n12');
    await expectNothingHeld(http);
  });

  it('a request is the same when every byte comes alone', async () => {
    const origin = await startHttpOrigin(scene, describeCall);
    const http = await startHttp(scene, engine, [origin.address]);
    const client = await new HttpClient(http.target).opened();
    for (const request of Object.values(requests)) {
      for (const byte of request) {
        await client.send(Buffer.from([byte]));
        await pause(0);
      }
      expect((await client.answer()).text).toBe('origin POST /x 10\n');
    }
    expect((await client.answer()).text).toBe('origin GET /y 0\n');
    client.close();
    await expectNothingHeld(http);
  });

  it('large bodies are the same in odd pieces', async () => {
    const body = Buffer.from(Uint8Array.from({ length: 200_000 }, (_, index) => index % 249));
    const origin = await startHttpOrigin(scene, async (call) => {
      const got = await call.body();
      const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
      const framed = chunked([got.subarray(0, 1), got.subarray(1, 70_000), got.subarray(70_000)]);
      await call.send(head);
      for (let at = 0, step = 1; at < framed.length; at += step, step = (step * 3 + 7) % 8191) {
        call.socket.write(framed.subarray(at, at + step));
        if (step % 2 === 0) await pause(0);
      }
    });
    const http = await startHttp(scene, engine, [origin.address]);
    const request = postChunked([
      body.subarray(0, 4093),
      body.subarray(4093, 4095),
      body.subarray(4095),
    ]);
    const client = await new HttpClient(http.target).opened();
    for (const factor of [3, 5]) {
      for (
        let at = 0, step = 1;
        at < request.length;
        at += step, step = (step * factor + 11) % 4099
      ) {
        await client.send(request.subarray(at, at + step));
        if (step % 2 === 0) await pause(0);
      }
      expect((await client.answer()).body.equals(body)).toBe(true);
    }
    client.close();
    await expectNothingHeld(http);
  });
});
