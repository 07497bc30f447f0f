// How long anything may take, and what is said when it took longer. Slow is not stuck.
import { expect, it } from 'vitest';
import { expectNothingHeld, type HttpParts, startHttp } from '../fixtures/http-balancers.ts';
import { get, openHttp } from '../fixtures/http-clients.ts';
import {
  callAt,
  describeCall,
  message,
  type Serve,
  startHttpOrigin,
  wait,
} from '../fixtures/http-origins.ts';
import { forEachEngine, pause, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
const answered = (status: number) =>
  ['sluice_listener_answers_total', { status: String(status) }] as const;

forEachEngine((engine) => {
  const start = async (serve: Serve, parts: HttpParts) => {
    const origin = await startHttpOrigin(scene, serve);
    const http = await startHttp(scene, engine, [origin.address], parts);
    return { origin, http, client: await openHttp(scene, http.target) };
  };
  const elapsed = async (what: Promise<unknown>): Promise<number> => {
    const from = performance.now();
    await what;
    return performance.now() - from;
  };

  it('closes without a word on a client that says nothing', async () => {
    const timeouts = { requestHead: '200ms', clientIdle: '10s' };
    const { http, client } = await start(describeCall, { listener: { timeouts } });
    const took = await elapsed(client.ended());
    expect(client.stream.raw).toHaveLength(0);
    expect(took).toBeGreaterThan(120);
    expect(took).toBeLessThan(1_000);
    expect(http.metrics().sum('sluice_listener_answers_total')).toBe(0);
    await expectNothingHeld(http);
  });

  it('closes without a word on a client that has been served and is idle', async () => {
    const timeouts = { requestHead: '10s', clientIdle: '200ms' };
    const { http, client } = await start(describeCall, { listener: { timeouts } });
    for (let nth = 0; nth < 3; nth++) {
      await pause(100);
      expect((await client.ask(get())).status).toBe(200);
    }
    const took = await elapsed(client.ended());
    expect(client.stream.held).toHaveLength(0);
    expect(took).toBeGreaterThan(120);
    expect(took).toBeLessThan(1_000);
    expect(http.metrics().sum('sluice_listener_requests_aborted_total')).toBe(0);
    await expectNothingHeld(http);
  });

  it('answers 408 to a head that does not end, however busily it is sent', async () => {
    const timeouts = { requestHead: '300ms' };
    const { origin, http, client } = await start(describeCall, { listener: { timeouts } });
    await client.send('GET / HTTP/1.1\r\n');
    const dripping = setInterval(() => void client.send('X-A: b\r\n'), 20);
    scene.after(() => clearInterval(dripping));
    const took = await elapsed(client.answer().then(({ status }) => expect(status).toBe(408)));
    clearInterval(dripping);
    expect(took).toBeGreaterThan(200);
    expect(took).toBeLessThan(1_500);
    expect(await client.ended()).not.toBe('');
    client.close();
    await expectNothingHeld(http);
    expect(http.metrics().one(...answered(408))).toBe(1);
    expect(origin.connections).toBe(0);
  });

  it('answers 408 to a second head that does not end', async () => {
    const timeouts = { requestHead: '200ms', clientIdle: '10s' };
    const { http, client } = await start(describeCall, { listener: { timeouts } });
    await client.ask(get());
    await client.send('GET / HT');
    const took = await elapsed(client.answer().then(({ status }) => expect(status).toBe(408)));
    expect(took).toBeLessThan(1_000);
    expect(http.metrics().one(...answered(408))).toBe(1);
  });

  it('answers 408 to a body that stops, and waits for one that comes slowly', async () => {
    const parts = { listener: { timeouts: { body: '200ms' } }, pool: { timeouts: { body: '5s' } } };
    const { origin, http, client } = await start(describeCall, parts);
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n');
    for (let nth = 0; nth < 10; nth++) {
      await pause(80);
      await client.send('x');
    }
    expect((await client.answer()).text).toBe('origin POST / 10\n');
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nxxx');
    expect((await client.answer()).status).toBe(408);
    expect(await client.ended()).toBe('end');
    client.close();
    await until('the backend is left', () => origin.open.size === 0);
    await expectNothingHeld(http);
    expect(http.metrics().one(...answered(408))).toBe(1);
    expect(http.metrics().sum('sluice_pool_errors_total')).toBe(0);
  });

  it('answers 504 for a backend that does not answer', async () => {
    const pool = { timeouts: { responseHead: '200ms', body: '10s' } };
    const { origin, http, client } = await start(wait, { pool });
    const took = await elapsed(client.ask(get()).then(({ status }) => expect(status).toBe(504)));
    expect(took).toBeGreaterThan(120);
    expect(took).toBeLessThan(1_000);
    await until('the backend is left', () => origin.open.size === 0);
    const metrics = http.metrics();
    expect(metrics.one(...answered(504))).toBe(1);
    expect(metrics.one('sluice_pool_errors_total', { reason: 'response_timeout' })).toBe(1);
    expect(metrics.one('sluice_backend_request_failures_total')).toBe(1);
    // The client may ask again.
    expect((await client.ask(get())).status).toBe(504);
  });

  it('answers 504 for a backend that stops in its head', async () => {
    const pool = { timeouts: { responseHead: '200ms', body: '10s' } };
    const { http, client } = await start(
      async (call) => {
        await call.send('HTTP/1.1 200 OK\r\nX-A:');
        await wait(call, '');
      },
      { pool },
    );
    expect((await client.ask(get())).status).toBe(504);
    client.close();
    await expectNothingHeld(http);
  });

  it('waits for an answer that comes slowly, and cuts one that stops', async () => {
    const pool = { timeouts: { responseHead: '5s', body: '200ms' } };
    const { origin, http, client } = await start(wait, { pool });
    await client.send(get());
    const call = await callAt(origin, 0);
    await pause(400);
    await call.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n');
    for (let nth = 0; nth < 9; nth++) {
      await pause(80);
      await call.send('x');
    }
    const took = await elapsed(client.ended());
    expect(took).toBeGreaterThan(120);
    expect(took).toBeLessThan(1_500);
    expect(client.stream.how).toBe('ECONNRESET');
    expect(client.stream.raw.toString().endsWith('x'.repeat(9))).toBe(true);
    await until('the backend is left', () => origin.open.size === 0);
    await expectNothingHeld(http);
  });

  it('does not count the time in which a client reads slowly', async () => {
    const size = 12_000_000;
    // The kernel tells of room in a full buffer only when a sixteenth of it is free again.
    const pool = { timeouts: { body: '900ms' } };
    const { http, client } = await start((call) => call.send(message(Buffer.alloc(size, 'z'))), {
      pool,
    });
    await client.send(get());
    await client.stream.head();
    // Never still for as long as the timeout, and much longer than it in all.
    let last = 0;
    for (let nth = 0; nth < 25; nth++) {
      client.stream.socket.pause();
      await pause(100);
      client.stream.socket.resume();
      await pause(3);
      last = client.stream.raw.length;
    }
    expect(last).toBeGreaterThan(0);
    expect((await client.stream.take(size)).length).toBe(size);
    client.close();
    await expectNothingHeld(http);
  });

  it('cuts a client that stops reading', async () => {
    const pool = { timeouts: { body: '300ms' } };
    const { origin, http, client } = await start(
      (call) => call.send(message(Buffer.alloc(30_000_000, 'z'))),
      { pool },
    );
    client.stream.socket.pause();
    await client.send(get());
    await until(
      'it is cut',
      () =>
        http.metrics().sum('sluice_listener_requests_active') === 0 && origin.calls.length === 1,
    );
    expect(http.metrics().sum('sluice_worker_stalls_cut_total')).toBe(1);
    await until('the backend is left', () => origin.open.size === 0);
    client.close();
    await expectNothingHeld(http);
  });
});
