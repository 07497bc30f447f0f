// From HTTP to another protocol, and back out of it: only a real 101 makes a tunnel.
import { createHash, randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { expectNothingHeld, type HttpParts, startHttp } from '../fixtures/http-balancers.ts';
import { get, openHttp, post } from '../fixtures/http-clients.ts';
import {
  type Call,
  callAt,
  message,
  type Serve,
  startHttpOrigin,
} from '../fixtures/http-origins.ts';
import { forEachEngine, pause, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const wants = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n';
const switching =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Accept: y\r\n\r\n';

// Sends back what is there already and all that comes, until the other side ends.
async function echoFrom(call: Call, first = ''): Promise<void> {
  call.socket.write(`${switching}${first}`);
  for (;;) {
    if (call.stream.held.length > 0) {
      call.socket.write(await call.stream.take(call.stream.held.length));
    } else if (call.stream.how !== '') {
      break;
    } else {
      await call.stream.more('').catch(() => {});
    }
  }
  call.close();
}

forEachEngine((engine) => {
  const start = async (serve: Serve, parts: HttpParts = {}) => {
    const origin = await startHttpOrigin(scene, serve);
    return { origin, http: await startHttp(scene, engine, [origin.address], parts) };
  };

  it('carries bytes both ways, and each half ends alone', async () => {
    const { origin, http } = await start((call) => echoFrom(call));
    const client = await openHttp(scene, http.target);
    const { status, head } = await client.ask(get('/ws', wants));
    expect(status).toBe(101);
    expect(head.one('upgrade')).toBe('websocket');
    expect(head.one('connection')?.toLowerCase()).toBe('upgrade');
    expect(head.one('sec-websocket-accept')).toBe('y');
    const forwarded = origin.calls[0]?.head;
    expect(forwarded?.one('upgrade')).toBe('websocket');
    expect(forwarded?.one('connection')?.toLowerCase()).toBe('upgrade');
    for (const size of [1, 125, 4096, 70_000, 2_000_000]) {
      const sent = randomBytes(size);
      await client.send(sent);
      expect(hash(await client.stream.take(size))).toBe(hash(sent));
    }
    await client.send('last words');
    client.end();
    expect((await client.stream.rest()).toString()).toBe('last words');
    expect(await client.ended()).toBe('end');
    client.close();
    await expectNothingHeld(http);
    const metrics = http.metrics();
    expect(metrics.one('sluice_listener_upgrades_total')).toBe(1);
    expect(metrics.one('sluice_listener_responses_total', { status: '1xx' })).toBe(1);
    expect(metrics.sum('sluice_pool_errors_total')).toBe(0);
    expect(metrics.sum('sluice_listener_requests_aborted_total')).toBe(0);
  });

  it.each([0, 1, 3000, 40_000])('loses none of %i bytes right behind the 101', async (size) => {
    const first = 'f'.repeat(size);
    const { http } = await start((call) => echoFrom(call, first));
    const client = await openHttp(scene, http.target);
    expect((await client.ask(get('/', wants))).status).toBe(101);
    expect((await client.stream.take(size)).toString()).toBe(first);
    await client.send('then');
    expect((await client.stream.take(4)).toString()).toBe('then');
  });

  it.each([1, 3000, 40_000])('loses none of %i bytes right behind the request', async (size) => {
    const early = 'e'.repeat(size);
    const { http } = await start(async (call) => {
      await pause(20);
      await echoFrom(call, '>');
    });
    const client = await openHttp(scene, http.target);
    const { status } = await client.ask(`${get('/', wants)}${early}`);
    expect(status).toBe(101);
    expect((await client.stream.take(size + 1)).toString()).toBe(`>${early}`);
    await client.send('more');
    expect((await client.stream.take(4)).toString()).toBe('more');
  });

  it('takes a 101 at every split, and many at a time', async () => {
    const { http } = await start(async (call) => {
      const at = Number(call.path.slice(1));
      call.socket.write(switching.slice(0, at));
      await pause(4);
      call.socket.write(`${switching.slice(at)}now `);
      await call.send(await call.stream.take(5));
      call.close();
    });
    const all = Array.from({ length: switching.length - 1 }, async (_, index) => {
      const client = await openHttp(scene, http.target);
      await client.send(get(`/${index + 1}`, wants), 'hello');
      expect((await client.answer()).status).toBe(101);
      const rest = (await client.stream.rest()).toString();
      client.close();
      return rest;
    });
    expect(new Set(await Promise.all(all))).toEqual(new Set(['now hello']));
    await expectNothingHeld(http);
    expect(http.metrics().one('sluice_listener_upgrades_total')).toBe(all.length);
  });

  it('goes on with HTTP when the backend refuses', async () => {
    const { origin, http } = await start((call) =>
      call.path === '/no'
        ? call.send(message('no', '', '426 Upgrade Required'))
        : call.send(message('plain')),
    );
    const client = await openHttp(scene, http.target);
    expect((await client.ask(get('/no', wants))).status).toBe(426);
    expect((await client.ask(get('/ignored', wants))).text).toBe('plain');
    expect((await client.ask(get('/'))).text).toBe('plain');
    expect(origin.connections).toBe(1);
    expect(http.metrics().one('sluice_listener_upgrades_total')).toBe(0);
  });

  // What a client sends behind its request is not the backend's before it agreed.
  it('keeps from the backend what follows a request that it refuses', async () => {
    const { origin, http } = await start((call) => call.send(message('no', '', '403 Forbidden')));
    const client = await openHttp(scene, http.target);
    await client.send(`${get('/a', wants)}GET /b HTTP/1.1\r\nHost: b\r\n\r\n`);
    expect((await client.answer()).status).toBe(403);
    expect((await client.answer()).status).toBe(403);
    expect(origin.calls.map(({ path }) => path)).toEqual(['/a', '/b']);
  });

  it.each([
    ['nobody asked for', get('/'), switching],
    ['asks for h2c', get('/', 'Connection: Upgrade\r\nUpgrade: h2c\r\n'), switching],
    ['says no protocol', get('/', wants), 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['comes with HTTP/1.0', get('/', wants), switching.replace('HTTP/1.1', 'HTTP/1.0')],
  ])('answers 502 to a 101 that %s', async (_, request, reply) => {
    const { origin, http } = await start((call) => call.send(reply));
    const client = await openHttp(scene, http.target);
    expect((await client.ask(request)).status).toBe(502);
    const call = await callAt(origin, 0);
    await until('the backend is left', () => call.stream.how !== '');
    expect(http.metrics().one('sluice_pool_errors_total', { reason: 'response_invalid' })).toBe(1);
    expect(http.metrics().one('sluice_listener_upgrades_total')).toBe(0);
    client.close();
    await expectNothingHeld(http);
  });

  // Some origins read such a request as having no body, and would take it for the new protocol.
  it('does not offer the upgrade of a request with a body', async () => {
    const { origin, http } = await start(async (call) => {
      const body = (await call.body()).toString();
      call.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    });
    const client = await openHttp(scene, http.target);
    const answer = await client.ask(post('payload', '/', wants));
    expect(answer.status).toBe(200);
    expect(answer.body.toString()).toBe('payload');
    expect(origin.calls[0]?.head.one('upgrade')).toBeUndefined();
    expect(origin.calls[0]?.head.one('connection')).toBeUndefined();
  });

  it('answers 502 to a 101 for a request with a body, however much of it was sent', async () => {
    const { http } = await start(async (call) => {
      call.socket.write(switching);
      await call.stream.rest();
    });
    const statuses = await Promise.all(
      [1, 1000, 100_000, 4_000_000].map(async (size) => {
        const client = await openHttp(scene, http.target);
        await client.send(post(Buffer.alloc(size, 'b'), '/', wants));
        const { status } = await client.answer();
        client.close();
        return status;
      }),
    );
    expect(statuses).toEqual([502, 502, 502, 502]);
    await expectNothingHeld(http);
  });

  it('bears a backend that breaks the connection right behind its 101', async () => {
    const { http } = await start(async (call) => {
      const nth = Number(call.path.slice(1));
      call.socket.write(`${switching}${'x'.repeat((nth % 3) * 100)}`);
      if (nth % 4 > 0) await pause((nth % 4) - 1);
      if (nth % 8 > 5) call.close();
      else call.reset();
    });
    for (let first = 0; first < 200; first += 20) {
      const some = Array.from({ length: 20 }, async (_, index) => {
        const client = await openHttp(scene, http.target);
        await client.send(`${get(`/${first + index}`, wants)}${index % 3 > 0 ? '' : 'early'}`);
        expect(await client.ended()).toMatch(/^(end|ECONNRESET)$/);
        client.close();
      });
      await Promise.all(some);
    }
    await expectNothingHeld(http);
  });

  it('ends a tunnel on which nothing moves', async () => {
    const listener = { timeouts: { tunnelIdle: '200ms', clientIdle: '50ms', body: '100ms' } };
    const { origin, http } = await start((call) => echoFrom(call), { listener });
    const client = await openHttp(scene, http.target);
    expect((await client.ask(get('/', wants))).status).toBe(101);
    for (let round = 0; round < 6; round++) {
      await pause(60);
      await client.send('x');
      await client.stream.take(1);
    }
    const from = performance.now();
    expect(await client.ended()).not.toBe('');
    expect(performance.now() - from).toBeGreaterThan(150);
    expect(http.metrics().one('sluice_pool_errors_total', { reason: 'idle_timeout' })).toBe(1);
    client.close();
    await expectNothingHeld(http);
    expect(origin.open.size).toBe(0);
  });

  it('passes a reset on, either way', async () => {
    const { origin, http } = await start((call) => echoFrom(call));
    const first = await openHttp(scene, http.target);
    await first.ask(get('/', wants));
    first.reset();
    const call = await callAt(origin, 0);
    await until('the backend hears of it', () => call.stream.how !== '');
    expect(call.stream.how).toBe('ECONNRESET');
    const second = await openHttp(scene, http.target);
    await second.ask(get('/', wants));
    (await callAt(origin, 1)).reset();
    expect(await second.ended()).toBe('ECONNRESET');
    await expectNothingHeld(http);
  });
});
