// Bodies both ways: every framing, every kind of answer that has none, and none held back.
import { createHash, randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { expectNothingHeld, startHttp } from '../fixtures/http-balancers.ts';
import { askOnce, chunked, get, openHttp, post, postChunked } from '../fixtures/http-clients.ts';
import { callAt, message, type Serve, startHttpOrigin, wait } from '../fixtures/http-origins.ts';
import { forEachEngine, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const ok = 'HTTP/1.1 200 OK\r\n';

// Sends the request's body back, framed by the path.
const mirror: Serve = async (call) => {
  const body = await call.body();
  if (call.path === '/length') return call.send(message(body));
  if (call.path === '/chunked') {
    const pieces = [body.subarray(0, 7), body.subarray(7)].filter(({ length }) => length > 0);
    const head = Buffer.from(`${ok}Transfer-Encoding: chunked\r\n\r\n`);
    return call.send(Buffer.concat([head, chunked(pieces)]));
  }
  await call.send(Buffer.concat([Buffer.from(`${ok}\r\n`), body]));
  call.close();
};

forEachEngine((engine) => {
  const start = async (serve: Serve) => {
    const origin = await startHttpOrigin(scene, serve);
    return { origin, http: await startHttp(scene, engine, [origin.address]) };
  };

  it.each(['/length', '/chunked', '/close'])('pass in every size, answered by %s', async (path) => {
    const { http } = await start(mirror);
    const client = path === '/close' ? undefined : await openHttp(scene, http.target);
    for (const size of [0, 1, 2047, 2048, 2049, 4095, 4096, 4097, 65_536, 1_000_000]) {
      const body = randomBytes(size);
      for (const request of [post(body, path), postChunked(size === 0 ? [] : [body], path)]) {
        const answer = await (client?.ask(request) ?? askOnce(http.target, request));
        expect([size, hash(answer.body)]).toEqual([size, hash(body)]);
      }
    }
    client?.close();
    await expectNothingHeld(http);
  });

  it('reach the backend piece by piece, not as a whole', async () => {
    const { origin, http } = await start(async (call) => call.send(message(await call.body())));
    const framings = {
      'Content-Length: 12': ['abcd', 'efgh', 'ijkl'],
      'Transfer-Encoding: chunked': ['4\r\nabcd\r\n', '4\r\nefgh\r\n', '4\r\nijkl\r\n0\r\n\r\n'],
    };
    for (const [nth, [framing, pieces]] of Object.entries(framings).entries()) {
      const client = await openHttp(scene, http.target);
      await client.send(`PUT / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`);
      const call = await callAt(origin, nth);
      let expected = '';
      for (const piece of pieces) {
        expected += piece;
        await client.send(piece);
        const arrived = () => call.stream.raw.toString().endsWith(expected);
        await until('the piece has arrived', arrived);
      }
      expect((await call.body()).toString()).toBe('abcdefghijkl');
      expect((await client.answer()).text).toBe('abcdefghijkl');
    }
  });

  it('reach the client piece by piece, not as a whole', async () => {
    const { origin, http } = await start(wait);
    const plain = ['abcd', 'efgh'];
    const framings = {
      'Content-Length: 8\r\n': plain,
      'Transfer-Encoding: chunked\r\n': ['4\r\nabcd\r\n', '4\r\nefgh\r\n'],
      '': plain,
    };
    for (const [nth, [framing, pieces]] of Object.entries(framings).entries()) {
      const client = await openHttp(scene, http.target);
      await client.send(get());
      const call = await callAt(origin, nth);
      await call.send(`${ok}${framing}\r\n`);
      await client.stream.head();
      for (const piece of pieces) {
        await call.send(piece);
        expect((await client.stream.take(piece.length)).toString()).toBe(piece);
      }
      call.close();
    }
  });

  it('lose their chunks towards an HTTP/1.0 client, and end with the connection', async () => {
    const { http } = await start(mirror);
    const request = 'PUT /chunked HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 20\r\n\r\n';
    const client = await openHttp(scene, http.target);
    const { head, text } = await client.ask(`${request}${'abcde'.repeat(4)}`);
    expect(head.one('transfer-encoding')).toBeUndefined();
    expect(head.one('connection')).toBe('close');
    expect(text).toBe('abcde'.repeat(4));
  });

  it('keep their trailers and chunks, and lose chunk extensions', async () => {
    const trailers = 'X-Sum: 12\r\nX-More: yes\r\n';
    const { origin, http } = await start(async (call) => {
      await call.body();
      const fields = 'Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n';
      await call.send(`${ok}${fields}\r\n3;a=b\r\nxyz\r\n2 ;c\r\nuv\r\n0;last\r\n${trailers}\r\n`);
    });
    const answer = await askOnce(http.target, postChunked(['12', '345'], '/', trailers));
    expect(answer.trailers).toEqual(['X-Sum: 12', 'X-More: yes']);
    expect(answer.chunks).toEqual([3, 2]);
    expect(answer.text).toBe('xyzuv');
    expect(answer.head.one('trailer')).toBe('X-Sum');
    expect(answer.head.text).not.toContain(';');
    expect(origin.calls[0]?.trailers).toEqual(['X-Sum: 12', 'X-More: yes']);
    expect(origin.calls[0]?.chunks).toEqual([2, 3]);
  });

  it('are not expected where there are none, and the connections go on', async () => {
    const heads: Record<string, string> = {
      '/length': `${ok}Content-Length: 1000\r\n\r\n`,
      '/chunked': `${ok}Transfer-Encoding: chunked\r\n\r\n`,
      '/neither': `${ok}\r\n`,
      '/204': 'HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n',
      '/204length': 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n',
      '/304': 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 77\r\n\r\n',
      '/empty': `${ok}Content-Length: 0\r\n\r\n`,
    };
    const { origin, http } = await start((call) => call.send(heads[call.path] ?? ''));
    const client = await openHttp(scene, http.target);
    const ask = (method: string, path: string) =>
      client.ask(`${method} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    for (let round = 0; round < 3; round++) {
      expect((await ask('HEAD', '/length')).head.one('content-length')).toBe('1000');
      const headChunked = await ask('HEAD', '/chunked');
      expect(headChunked.status).toBe(200);
      expect((await ask('HEAD', '/neither')).head.one('content-length')).toBeUndefined();
      expect((await ask('GET', '/204')).head.one('x-a')).toBe('b');
      // RFC 9110 section 8.6: never with 204.
      expect((await ask('GET', '/204length')).head.one('content-length')).toBeUndefined();
      expect((await ask('GET', '/304')).head.one('content-length')).toBe('77');
      expect((await ask('HEAD', '/304')).status).toBe(304);
      expect((await ask('HEAD', '/204')).status).toBe(204);
      expect((await ask('GET', '/empty')).text).toBe('');
    }
    expect(origin.connections).toBe(1);
  });

  it('may still be under way when the answer comes', async () => {
    const { origin, http } = await start(async (call) => {
      await call.send(message('no', '', '403 Forbidden'));
      await call.body();
    });
    const client = await openHttp(scene, http.target);
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n', 'x');
    const { status, text } = await client.answer();
    expect([status, text]).toEqual([403, 'no']);
    // The rest cannot be told from a next request: the connection ends in good order.
    await client.send(Buffer.alloc(299_999));
    expect(await client.ended()).toBe('end');
    expect((await askOnce(http.target, get())).status).toBe(403);
    client.close();
    await expectNothingHeld(http);
    expect(origin.calls).toHaveLength(2);
  });
});
