// Which backend a request gets, what it is told when there is none, and backends that come and go.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openClient } from '../fixtures/clients.ts';
import {
  askAllWorkers,
  expectNothingHeld,
  type HttpParts,
  startHttp,
} from '../fixtures/http-balancers.ts';
import { askOnce, get, openHttp, post } from '../fixtures/http-clients.ts';
import { callAt, describeCall, message, startHttpOrigin } from '../fixtures/http-origins.ts';
import { deadPort } from '../fixtures/origins.ts';
import { startOriginProcess } from '../fixtures/programs.ts';
import { forEachEngine, pause, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
const dead = async (): Promise<string> => `127.0.0.1:${await deadPort()}`;

// Its queue is full: connects stay unanswered.
async function silentBackend(): Promise<string> {
  const { address } = await startOriginProcess(scene, 'silent');
  const [host = '', port] = address.split(':');
  for (let index = 0; index < 4; index++) {
    void openClient(scene, { host, port: Number(port) }).catch(() => {});
  }
  await pause(100);
  return address;
}

forEachEngine((engine) => {
  const start = (backends: readonly string[], parts: HttpParts = {}) =>
    startHttp(scene, engine, backends, parts);

  it('is another one when the first refuses', async () => {
    const origin = await startHttpOrigin(scene);
    const http = await start([await dead(), origin.address]);
    for (let nth = 0; nth < 10; nth++) {
      expect((await askOnce(http.target, post('body', '/x'))).text).toBe('origin POST /x 4\n');
    }
    const metrics = http.metrics();
    const refused = metrics.one('sluice_pool_errors_total', { reason: 'connect_refused' });
    expect(refused).toBeGreaterThan(0);
    expect(metrics.one('sluice_pool_retries_total')).toBe(refused);
    expect(metrics.sum('sluice_listener_answers_total')).toBe(0);
  });

  it('is said to be bad, late or missing: 502, 504, 503', async () => {
    const asked = async (backends: string[], parts: HttpParts = {}) => {
      const http = await start(backends, parts);
      const client = await openHttp(scene, http.target);
      const { status, head, text } = await client.ask(get());
      expect(head.one('content-length')).toBe(String(text.length));
      // The client may ask for something else.
      expect((await client.ask(get())).status).toBe(status);
      const metrics = http.metrics();
      expect(metrics.one('sluice_listener_answers_total', { status: String(status) })).toBe(2);
      // Counted when the worker learns that all of it was sent, which the client may see first.
      const told = (): number => {
        return http.metrics().one('sluice_listener_responses_total', { status: '5xx' });
      };
      await until('both are counted', () => told() === 2);
      client.close();
      await expectNothingHeld(http);
      return status;
    };
    expect(await asked([await dead(), await dead(), await dead(), await dead()])).toBe(502);
    expect(await asked([await dead()])).toBe(502);
    expect(await asked([])).toBe(503);
    const silent = await silentBackend();
    expect(await asked([silent], { pool: { connectTimeout: '100ms' } })).toBe(504);
  });

  it('is another one when the first does not take the connection in time', async () => {
    const origin = await startHttpOrigin(scene);
    const pool = { connectTimeout: '100ms' };
    const http = await start([await silentBackend(), origin.address], { pool });
    for (let nth = 0; nth < 4; nth++) expect((await askOnce(http.target, get())).status).toBe(200);
    const timeouts = { reason: 'connect_timeout' };
    expect(http.metrics().one('sluice_pool_errors_total', timeouts)).toBeGreaterThan(0);
  });

  it('is another one in time, though the body of the request comes on and on', async () => {
    const origin = await startHttpOrigin(scene);
    const pool = { connectTimeout: '150ms' };
    const http = await start([await silentBackend(), origin.address], { pool });
    for (let nth = 0; nth < 2; nth++) {
      const client = await openHttp(scene, http.target);
      const from = performance.now();
      await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n');
      const dripping = setInterval(() => void client.send('x'), 20);
      scene.after(() => clearInterval(dripping));
      await callAt(origin, nth);
      clearInterval(dripping);
      expect(performance.now() - from).toBeLessThan(1_500);
      client.close();
    }
    await expectNothingHeld(http);
  });

  it('is given up when the client leaves while it is being connected to', async () => {
    const http = await start([await silentBackend()], { pool: { connectTimeout: '20s' } });
    for (let nth = 0; nth < 8; nth++) {
      const client = await openHttp(scene, http.target);
      await client.send(nth % 2 === 0 ? get() : post('abc'));
      await pause(20);
      if (nth % 4 < 2) client.reset();
      else client.close();
    }
    await expectNothingHeld(http);
    expect(http.metrics().sum('sluice_listener_answers_total')).toBe(0);
  });

  it('may listen on a Unix socket', async () => {
    const path = join(scene.folder(), 'b.sock');
    const origin = await startHttpOrigin(scene, describeCall, { path });
    const http = await start([origin.address]);
    const client = await openHttp(scene, http.target);
    const body = 'u'.repeat(100_000);
    for (let nth = 0; nth < 5; nth++) {
      expect((await client.ask(post(body))).text).toBe('origin POST / 100000\n');
    }
    expect(origin.connections).toBe(1);
    const missing = await start([`unix:${join(scene.folder(), 'none.sock')}`]);
    expect((await askOnce(missing.target, get())).status).toBe(502);
  });

  it('is chosen by host and path', async () => {
    const named = (name: string) => startHttpOrigin(scene, describeCall, { name });
    const [a, b, api] = await Promise.all([named('a'), named('b'), named('api')]);
    const pools = { a, b, api };
    const http = await start([], {
      listener: {
        routes: [
          { hosts: ['a.example'], pool: 'a' },
          { hosts: ['*.b.example'], pool: 'b' },
          { hosts: ['a.example'], pathPrefix: '/api', pool: 'api' },
        ],
      },
      more: {
        pools: Object.fromEntries(
          Object.entries(pools).map(([name, { address }]) => [name, { backends: [address] }]),
        ),
      },
    });
    const client = await openHttp(scene, http.target);
    const who = async (host: string, path: string) => {
      const answer = await client.ask(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      return answer.status === 200 ? answer.text.split(' ')[0] : answer.status;
    };
    expect(await who('a.example', '/')).toBe('a');
    expect(await who('A.EXAMPLE:80', '/x')).toBe('a');
    expect(await who('a.example', '/api/x')).toBe('api');
    expect(await who('a.example', '/apix')).toBe('a');
    expect(await who('a.example', '/%61pi?q')).toBe('api');
    expect(await who('x.b.example', '/')).toBe('b');
    expect(await who('b.example', '/')).toBe(404);
    expect(await who('c.example', '/api')).toBe(404);
    expect(await who('a.example.', '/')).toBe('a');
    expect(http.metrics().one('sluice_listener_answers_total', { status: '404' })).toBe(2);
  });

  it('is left at once, with its idle connections, when it is removed', async () => {
    const named = (name: string) => startHttpOrigin(scene, describeCall, { name });
    const [a, b] = await Promise.all([named('a'), named('b')]);
    const http = await start([a.address, b.address]);
    await askAllWorkers(http);
    await until('both are used', () => a.open.size > 0 && b.open.size > 0);
    await http.lb.pool('web').remove(a.address);
    await until('its connections are closed', () => a.open.size === 0);
    for (let nth = 0; nth < 10; nth++) {
      expect((await askOnce(http.target, get())).text).toBe('b GET / 0\n');
    }
    await http.lb.pool('web').add(a.address);
    const before = a.calls.length;
    for (let nth = 0; nth < 10; nth++) await askOnce(http.target, get());
    expect(a.calls.length - before).toBeGreaterThanOrEqual(4);
  });

  it('finishes its requests when it is drained under load: none is lost', async () => {
    const slow = (name: string) =>
      startHttpOrigin(
        scene,
        async (call) => {
          await pause(20);
          await call.send(message(name));
        },
        { name },
      );
    const [a, b] = await Promise.all([slow('a'), slow('b')]);
    const http = await start([a.address, b.address]);
    let stop = false;
    const clients = Array.from({ length: 16 }, async () => {
      const client = await openHttp(scene, http.target);
      let answered = 0;
      for (; !stop; answered++) expect((await client.ask(get())).status).toBe(200);
      client.close();
      return answered;
    });
    await callAt(a, 10);
    const { cut } = await http.lb.pool('web').drain(a.address);
    expect(cut).toBe(0);
    const at = a.calls.length;
    await pause(100);
    stop = true;
    const answered = (await Promise.all(clients)).reduce((sum, count) => sum + count);
    expect(a.calls.length).toBe(at);
    expect(answered).toBe(a.calls.length + b.calls.length);
    expect(http.metrics().sum('sluice_pool_errors_total')).toBe(0);
    await expectNothingHeld(http);
  });
});
