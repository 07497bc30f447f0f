// A great many clients at one worker: those that stall or idle leave the others what they need.
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import type { Target } from '../fixtures/clients.ts';
import { expectNothingHeld, startHttp } from '../fixtures/http-balancers.ts';
import { askOnce, get, openHttp, post } from '../fixtures/http-clients.ts';
import { describeCall, message, startHttpOrigin } from '../fixtures/http-origins.ts';
import { forEachEngine, pause, type Scene, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
const large = message(Buffer.alloc(3_000_000, 'l'));
const buffers = 16_384;

function stall(into: Scene, target: Target, request: string): void {
  const socket = connect({ ...(target as { host: string; port: number }) });
  into.after(() => socket.destroy());
  socket.on('error', () => {});
  socket.pause();
  socket.write(request);
}

forEachEngine((engine) => {
  it('that read nothing do not take all buffers', async () => {
    const origin = await startHttpOrigin(scene, async (call, name) => {
      if (call.path === '/large') call.socket.write(large);
      else await describeCall(call, name);
    });
    const http = await startHttp(scene, engine, [origin.address], { more: { workers: 1 } });
    const lent = (): number => http.metrics().one('sluice_worker_buffers_lent', { size: 'small' });
    const stalled = 1500;
    for (let made = 0; made < stalled; made += 100) {
      for (let index = 0; index < 100; index++) stall(scene, http.target, get('/large'));
      await until('all have come', () => origin.calls.length === made + 100, 20_000);
      await pause(150);
    }
    let before = -1;
    await until(
      'all stand still',
      async () => {
        const still = lent() === before;
        before = lent();
        await pause(300);
        return still;
      },
      20_000,
    );
    // Without a smaller window for each they would hold 16 buffers each.
    expect(lent()).toBeGreaterThan(buffers / 4);
    expect(lent()).toBeLessThan((buffers * 7) / 8);
    // How fast is the kernel's affair, whose memory for sockets is as scarce by now.
    const from = performance.now();
    for (let nth = 0; nth < 5; nth++) {
      expect((await askOnce(http.target, get('/small'))).status).toBe(200);
      const body = Buffer.alloc(50_000, 'u');
      expect((await askOnce(http.target, post(body))).text).toBe('origin POST / 50000\n');
    }
    expect(performance.now() - from).toBeLessThan(10_000);
  }, 90_000);

  it('that are idle hold none, neither here nor towards their backends', async () => {
    const origin = await startHttpOrigin(scene, describeCall);
    const http = await startHttp(scene, engine, [origin.address], { more: { workers: 1 } });
    const clients = await Promise.all(
      Array.from({ length: 300 }, () => openHttp(scene, http.target)),
    );
    await Promise.all(clients.map((client) => client.ask(post('body'))));
    const metrics = http.metrics();
    expect(metrics.sum('sluice_listener_connections_active')).toBe(300);
    expect(metrics.sum('sluice_backend_connections_idle')).toBeGreaterThan(0);
    expect(metrics.sum('sluice_worker_buffers_lent')).toBe(0);
    // Half a head is all that one holds.
    for (const client of clients.slice(0, 100)) await client.send('GET / HTTP/1.1\r\n');
    await pause(100);
    expect(http.metrics().sum('sluice_worker_buffers_lent')).toBeLessThanOrEqual(100);
    // One that fills more than a buffer is gathered in a block.
    const gathering = clients.slice(100, 150);
    for (const client of gathering) await client.send(`GET / HTTP/1.1\r\nX: ${'x'.repeat(6000)}`);
    const blocks = (): number => http.metrics().sum('sluice_worker_head_blocks_lent');
    await until('their heads are gathered', () => blocks() === gathering.length);
    for (const client of clients) client.close();
    await expectNothingHeld(http);
    expect(blocks()).toBe(0);
  });
});
