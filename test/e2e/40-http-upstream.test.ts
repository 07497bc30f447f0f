// Connections to backends: kept, reused, given up; and what becomes of a request that meets the end
// of one.
import { expect, it } from 'vitest';
import { expectNothingHeld, type HttpParts, startHttp } from '../fixtures/http-balancers.ts';
import { askOnce, get, openHttp, post, postChunked } from '../fixtures/http-clients.ts';
import {
  callAt,
  describeCall,
  message,
  type Serve,
  startHttpOrigin,
} from '../fixtures/http-origins.ts';
import { forEachEngine, pause, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
const idle = 'sluice_backend_connections_idle';
// So that all connections to backends are of one worker.
const one = { workers: 1 };

forEachEngine((engine) => {
  const start = async (parts: HttpParts = {}, serve: Serve = describeCall) => {
    const origin = await startHttpOrigin(scene, serve);
    const http = await startHttp(scene, engine, [origin.address], parts);
    return { origin, http, client: await openHttp(scene, http.target) };
  };

  it('are shared by clients, one request at a time', async () => {
    const { origin, http } = await start({ more: one });
    for (let nth = 0; nth < 20; nth++) await askOnce(http.target, get());
    expect(origin.connections).toBe(1);
    expect(http.metrics().one(idle)).toBe(1);
    expect(http.metrics().one('sluice_backend_connections_total')).toBe(1);
  });

  it('are closed when nobody needs them for the idle time', async () => {
    const { origin, http, client } = await start({ pool: { keepAlive: { idleTimeout: '150ms' } } });
    await client.ask(get());
    await pause(80);
    await client.ask(get());
    expect(origin.connections).toBe(1);
    const from = performance.now();
    await until('it is closed', () => origin.open.size === 0);
    expect(performance.now() - from).toBeGreaterThan(100);
    expect(http.metrics().one(idle)).toBe(0);
    expect((await client.ask(get())).status).toBe(200);
    expect(origin.connections).toBe(2);
    expect(http.metrics().one('sluice_pool_request_retries_total')).toBe(0);
  });

  it('are closed after so many requests', async () => {
    const { origin, client } = await start({ pool: { keepAlive: { maxRequests: 3 } } });
    for (let nth = 0; nth < 7; nth++) await client.ask(get());
    expect(origin.calls.map(({ connection }) => connection)).toEqual([0, 0, 0, 1, 1, 1, 2]);
  });

  it.each([0, 2])('wait %i at most', async (maxIdle) => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const parts = { pool: { keepAlive: { maxIdle } }, more: one };
    const { origin, http } = await start(parts, async (call) => {
      await released;
      await call.send(message('x'));
    });
    const asked = Array.from({ length: 6 }, () => askOnce(http.target, get()));
    await callAt(origin, 5);
    expect(origin.connections).toBe(6);
    release();
    await Promise.all(asked);
    await until('the others are closed', () => origin.open.size === maxIdle);
    expect(http.metrics().one(idle)).toBe(maxIdle);
  });

  it('are not used again when the backend said something unasked for', async () => {
    const { origin, http, client } = await start();
    await client.ask(get());
    const stray = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil';
    (await callAt(origin, 0)).socket.write(stray);
    await until('it is evicted', () => http.metrics().one(idle) === 0);
    expect((await client.ask(get())).text).toBe('origin GET / 0\n');
    expect(origin.connections).toBe(2);
  });

  it('are not used again when an answer was followed by more', async () => {
    const { origin, client } = await start({}, async (call) => {
      await call.send(`${message('x')}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`);
    });
    for (let nth = 0; nth < 3; nth++) expect((await client.ask(get())).text).toBe('x');
    expect(origin.connections).toBe(3);
  });

  // The second request of every connection finds it closed.
  const closing: Serve = async (call, name) => {
    if (call.nth > 0) return call.reset();
    await describeCall(call, name);
  };

  it.each(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])(
    'that are stale cost %s one try more',
    async (method) => {
      const { origin, http, client } = await start({}, closing);
      const request = `${method} /x HTTP/1.1\r\nHost: a.example\r\n\r\n`;
      await client.ask(request);
      expect((await client.ask(request)).status).toBe(200);
      expect(origin.calls.map(({ connection, nth }) => [connection, nth])).toEqual([
        [0, 0],
        [0, 1],
        [1, 0],
      ]);
      expect(http.metrics().one('sluice_pool_request_retries_total')).toBe(1);
    },
  );

  it('that are stale cost no byte of a body that is still at hand', async () => {
    const { origin, client } = await start({}, closing);
    const put = post('hello').toString().replace('POST', 'PUT');
    for (let nth = 0; nth < 3; nth++) {
      expect((await client.ask(put)).text).toBe('origin PUT / 5\n');
    }
    expect(origin.connections).toBe(3);
  });

  it('that are stale cost POST its answer: it may have been carried out', async () => {
    const { origin, http, client } = await start({}, closing);
    await client.ask(post('a'));
    expect((await client.ask(post('b'))).status).toBe(502);
    expect(origin.calls).toHaveLength(2);
    expect(http.metrics().one('sluice_pool_request_retries_total')).toBe(0);
    expect(http.metrics().one('sluice_backend_request_failures_total')).toBe(1);
    // The client may go on.
    expect((await client.ask(get())).status).toBe(200);
  });

  it('that are stale cost a request its answer when its body has been given away', async () => {
    const { origin, http, client } = await start({}, async (call, name) => {
      if (call.nth === 0) return describeCall(call, name);
      if (call.path === '/body') await call.body();
      call.reset();
    });
    for (const body of [['x'.repeat(50_000)], ['abc']]) {
      await client.ask(get('/first'));
      const put = postChunked(body, '/body').toString().replace('POST', 'PUT');
      const { status } = await client.ask(put);
      expect(status).toBe(502);
    }
    expect(origin.calls.filter(({ path }) => path === '/body')).toHaveLength(2);
    expect(http.metrics().one('sluice_pool_request_retries_total')).toBe(0);
  });

  it('are tried anew once, not for ever', async () => {
    const { origin, client } = await start({}, async (call, name) => {
      if (call.path === '/good') return describeCall(call, name);
      call.reset();
    });
    await client.ask(get('/good'));
    expect((await client.ask(get('/bad'))).status).toBe(502);
    expect(origin.calls.filter(({ path }) => path === '/bad')).toHaveLength(2);
  });

  it('closed by the backend at the very time of reuse lose no request', async () => {
    const { http, client, origin } = await start({}, async (call, name) => {
      await describeCall(call, name);
      const from = performance.now();
      // About when the next request comes; whether before or after differs from time to time.
      setTimeout(() => call.close(), call.connection % 4);
      await new Promise((resolve) => call.socket.on('close', resolve));
      expect(performance.now() - from).toBeLessThan(5_000);
    });
    for (let nth = 0; nth < 100; nth++) {
      await pause(nth % 5);
      expect((await client.ask(get(`/${nth}`))).text).toBe(`origin GET /${nth} 0\n`);
    }
    expect(origin.connections).toBeGreaterThan(20);
    client.close();
    await expectNothingHeld(http);
  });
});
