// Backends that die, stall, lie and talk nonsense: what a client gets is right, or visibly cut.
import { expect, it } from 'vitest';
import { expectNothingHeld, startHttp } from '../fixtures/http-balancers.ts';
import { get, openHttp } from '../fixtures/http-clients.ts';
import { describeCall, type Serve, startHttpOrigin } from '../fixtures/http-origins.ts';
import { Cut } from '../fixtures/http-stream.ts';
import { forEachEngine, pause, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
const ok = 'HTTP/1.1 200 OK\r\n';
const length = (bytes: number): string => `${ok}Content-Length: ${bytes}\r\n\r\n`;
const inChunks = `${ok}Transfer-Encoding: chunked\r\n\r\n`;

// Answers that nobody may be given as they are: 502 instead.
const nonsense: Readonly<Record<string, string | Buffer>> = {
  'no HTTP': 'SSH-2.0-OpenSSH_9.2\r\n\r\n',
  'bytes at random': Buffer.from(Uint8Array.from({ length: 200 }, (_, at) => (at * 7919) % 256)),
  'HTTP/0.9': '<html>hello</html>\r\n\r\n',
  'HTTP/2': 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.2': 'HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n',
  'HTTP in small letters': 'http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  'a status of two digits': 'HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n',
  'a status of four digits': 'HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n',
  'a status below 100': 'HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n',
  'a status with letters': 'HTTP/1.1 2OO OK\r\nContent-Length: 0\r\n\r\n',
  'blanks before the status': 'HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n',
  'an empty first line': `\r\n${length(0)}`,
  'line ends without CR': 'HTTP/1.1 200 OK\nContent-Length: 0\n\n',
  'a CR alone': 'HTTP/1.1 200 OK\r\nX-A: b\rX-C: d\r\nContent-Length: 0\r\n\r\n',
  'a NUL in a value': `HTTP/1.1 200 OK\r\nX-A: b\0c\r\nContent-Length: 0\r\n\r\n`,
  'a NUL in a name': `HTTP/1.1 200 OK\r\nX\0A: b\r\nContent-Length: 0\r\n\r\n`,
  'a folded line': 'HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n',
  'a blank before the colon': 'HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n',
  'a field without a name': 'HTTP/1.1 200 OK\r\n: b\r\nContent-Length: 0\r\n\r\n',
  'a field without a colon': 'HTTP/1.1 200 OK\r\nX-A\r\nContent-Length: 0\r\n\r\n',
  'a length below zero': 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
  'a length with a sign': 'HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello',
  'a length in hexadecimal': 'HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello',
  'no length in its field': 'HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello',
  'a length beyond 64 bits': 'HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551621\r\n\r\nhello',
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!',
  'a list of lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello',
  'a length and chunks': `${ok}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'another encoding': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello',
  'chunked and another': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  'chunked twice': `${ok}${'Transfer-Encoding: chunked\r\n'.repeat(2)}\r\n0\r\n\r\n`,
  'chunks in HTTP/1.0': 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'a head without an end': `${ok}${'X-A: b\r\n'.repeat(20_000)}`,
  'too many fields': `${ok}${'X-A: b\r\n'.repeat(300)}\r\n`,
  'half a head': `${ok}Content-Le`,
  nothing: '',
};

// Answers that begin well and do not end so: the client has to see that.
const broken: Readonly<Record<string, string | Buffer>> = {
  'less than its length': `${length(10)}hello`,
  'nothing of its length': length(10),
  'much less than its length': Buffer.concat([Buffer.from(length(900_000)), Buffer.alloc(500_000)]),
  'chunks without an end': `${inChunks}5\r\nhello\r\n`,
  'half a chunk': `${inChunks}5\r\nhel`,
  'no chunk': inChunks,
  'a last chunk without its line': `${inChunks}5\r\nhello\r\n0\r\n`,
  'no chunk size': `${inChunks}5\r\nhello\r\nxyz\r\n`,
  'a chunk longer than its size': `${inChunks}5\r\nhello!\r\n0\r\n\r\n`,
  'a chunk size beyond 64 bits': `${inChunks}10000000000000005\r\nhello\r\n0\r\n\r\n`,
  'a chunk size with a sign': `${inChunks}+5\r\nhello\r\n0\r\n\r\n`,
  'a chunk size with 0x': `${inChunks}0x5\r\nhello\r\n0\r\n\r\n`,
  'chunk lines without CR': `${inChunks}5\nhello\n0\n\n`,
  'a trailer that frames': `${inChunks}5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n`,
};

forEachEngine((engine) => {
  const start = async (serve: Serve) => {
    const origin = await startHttpOrigin(scene, async (call, name) => {
      if (call.path === '/good') await describeCall(call, name);
      else await serve(call, name);
    });
    const http = await startHttp(scene, engine, [origin.address]);
    return { origin, http };
  };

  it.each(Object.keys(nonsense))('answers 502 to %s', async (name) => {
    const { http } = await start((call) => {
      call.socket.end(nonsense[name] ?? '');
    });
    const client = await openHttp(scene, http.target);
    const answer = await client.ask(get());
    expect([answer.status, answer.text]).toEqual([502, '502 Bad Gateway\n']);
    // Nothing of it is left for the next one.
    expect((await client.ask(get('/good'))).text).toBe('origin GET /good 0\n');
    const metrics = http.metrics();
    expect(metrics.one('sluice_backend_request_failures_total')).toBe(1);
    const invalid = metrics.one('sluice_pool_errors_total', { reason: 'response_invalid' });
    expect(invalid).toBe(name === 'nothing' ? 0 : 1);
    expect(metrics.one('sluice_listener_answers_total', { status: '502' })).toBe(1);
    client.close();
    await expectNothingHeld(http);
  });

  it.each(Object.keys(broken))('cuts the client off from %s', async (name) => {
    for (const reset of [false, true]) {
      const { http } = await start(async (call) => {
        call.socket.write(broken[name] ?? '');
        await pause(100);
        if (reset) call.reset();
        else call.close();
      });
      const client = await openHttp(scene, http.target);
      await client.send(get('/bad'), get('/good'));
      await expect(client.answer()).rejects.toThrow(Cut);
      expect(client.stream.how).toBe('ECONNRESET');
      const metrics = http.metrics();
      const failed =
        metrics.one('sluice_pool_errors_total', { reason: 'response_cut' }) +
        metrics.one('sluice_pool_errors_total', { reason: 'response_invalid' });
      expect(failed).toBe(1);
      expect(metrics.one('sluice_backend_request_failures_total')).toBe(1);
      // It was not the client who left.
      expect(metrics.one('sluice_listener_requests_aborted_total')).toBe(0);
      client.close();
      await expectNothingHeld(http);
    }
  });

  it('cuts the client off when an answer until close ends in a reset', async () => {
    const { http } = await start(async (call) => {
      await call.send(`${ok}\r\nhello`);
      await pause(100);
      call.reset();
    });
    const client = await openHttp(scene, http.target);
    await expect(client.ask(get())).rejects.toThrow(Cut);
    expect(client.stream.how).toBe('ECONNRESET');
    await expectNothingHeld(http);
  });

  it('gives the client the length that was said, and no byte of what comes beyond', async () => {
    for (const pieces of [['hello evil'], ['hello', ' evil'], ['hel', 'lo ev', 'il']]) {
      const { http, origin } = await start((call) => call.send(length(5), ...pieces));
      const client = await openHttp(scene, http.target);
      for (let nth = 0; nth < 3; nth++) {
        expect((await client.ask(get())).text).toBe('hello');
        // What comes once the next request is sent could not be told from its answer.
        await pause(20);
        expect((await client.ask(get('/good'))).text).toBe('origin GET /good 0\n');
      }
      expect(client.stream.held).toHaveLength(0);
      expect(origin.connections).toBeGreaterThan(1);
    }
  });

  it('answers what a backend said before it took all of the request', async () => {
    const { http } = await start(async (call) => {
      call.socket.pause();
      call.socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig');
      await pause(20);
      call.close();
      setTimeout(() => call.socket.destroy(), 500);
    });
    const client = await openHttp(scene, http.target);
    const size = 30_000_000;
    await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
    await client.send(Buffer.alloc(size));
    const { status, text } = await client.answer();
    expect([status, text]).toEqual([413, 'big']);
    expect(await client.ended(4_000)).not.toBe('');
    client.close();
    await until('counted', () => http.metrics().one('sluice_listener_requests_total') === 1);
    await expectNothingHeld(http);
  });
});
