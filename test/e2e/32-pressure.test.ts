// Slow readers, dying backends and a full table of descriptors. The balancer is a process of its
// own, so that its memory and its limits are its own.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { assertServedBy, serveByAll, simpleConfig } from '../fixtures/balancers.ts';
import { type Client, exchange, openClient, openClients } from '../fixtures/clients.ts';
import { openFiles, residentBytes } from '../fixtures/process-facts.ts';
import { runSluice, startOriginProcess } from '../fixtures/programs.ts';
import { forEachEngine, pause, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
const mebibyte = 1024 * 1024;
const floodBytes = 100 * mebibyte;

function floodHash(): string {
  const block = Buffer.from(Uint8Array.from({ length: 64 * 1024 }, (_, index) => index % 251));
  const hash = createHash('sha256');
  for (let sent = 0; sent < floodBytes; sent += block.length) hash.update(block);
  return hash.digest('hex');
}

forEachEngine((engine) => {
  // Every worker has served when it returns, and none has moved bulk.
  async function serveEchoAndFlood() {
    const flood = await startOriginProcess(scene, 'flood');
    const echo = await startOriginProcess(scene, 'echo');
    const route = (pool: string) => [{ pool }];
    const served = await runSluice(scene, {
      ...simpleConfig(engine, []),
      listeners: {
        in: { listen: '127.0.0.1:0', mode: 'tcp', routes: route('echo') },
        flood: { listen: '127.0.0.1:0', mode: 'tcp', routes: route('flood') },
      },
      pools: { echo: { backends: [echo.address] }, flood: { backends: [flood.address] } },
    });
    await serveByAll(served.address(), () => served.metrics());
    return served;
  }

  it('does not grow for a reader that is slow, nor slow others down', async () => {
    const served = await serveEchoAndFlood();
    const { pid } = served.program;
    const before = residentBytes(pid);

    const slow = await openClient(scene, served.address('flood'));
    slow.socket.pause();
    const hash = createHash('sha256');
    let received = 0;
    slow.socket.removeAllListeners('data');
    slow.socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
      hash.update(chunk);
    });
    slow.socket.pause();
    await pause(1000);
    const stalled = await served.metrics();
    const start = performance.now();
    const body = Buffer.alloc(10_000, 'x');
    for (let round = 0; round < 100; round++) {
      expect((await exchange(served.address(), body)).length).toBe(body.length);
    }
    expect(performance.now() - start).toBeLessThan(5000);
    expect(residentBytes(pid) - before).toBeLessThan(16 * mebibyte);
    const buffered = stalled.one('sluice_pool_received_bytes_total', { pool: 'flood' });
    expect(buffered).toBeLessThan(floodBytes / 2);

    slow.socket.resume();
    await slow.ended();
    expect(received).toBe(floodBytes);
    expect(hash.digest('hex')).toBe(floodHash());
    expect(residentBytes(pid) - before).toBeLessThan(32 * mebibyte);
    assertServedBy(await served.metrics(), engine);
  });

  it('loses only the connections of a backend that is killed', async () => {
    const [first, second] = [
      await startOriginProcess(scene, 'echo'),
      await startOriginProcess(scene, 'echo'),
    ];
    const served = await runSluice(scene, simpleConfig(engine, [first.address, second.address]));
    const clients = await openClients(scene, served.address(), 100);
    let running = true;
    const talk = async (client: Client): Promise<void> => {
      for (let said = 1; running && client.isOpen; said++) {
        client.write('0123456789');
        await client.receive(said * 10).catch(() => {});
        await pause(5);
      }
    };
    const talking = Promise.all(clients.map(talk));
    await pause(300);
    const metrics = await served.metrics();
    const on = (backend: string): number =>
      metrics.one('sluice_backend_connections_active', { backend });
    const [lost, kept] = [on(first.address), on(second.address)];
    expect(lost + kept).toBe(100);
    expect(lost).toBeGreaterThan(30);
    first.program.child.kill('SIGKILL');
    await until('its connections end', () => clients.filter((one) => !one.isOpen).length === lost);
    const heard = clients.map(({ received }) => received);
    await pause(500);
    const open = clients.filter((client) => client.isOpen);
    expect(open).toHaveLength(kept);
    for (const [index, client] of clients.entries()) {
      if (client.isOpen) expect(client.received).toBeGreaterThan(heard[index] ?? 0);
    }
    // New connections go to the one that is left.
    for (let asked = 0; asked < 20; asked++) {
      expect((await exchange(served.address(), 'x')).toString()).toBe('x');
    }
    running = false;
    await talking;
    assertServedBy(await served.metrics(), engine);
  });

  it('copies bulk when pipes are refused', async () => {
    const served = await serveEchoAndFlood();
    const { pid } = served.program;
    // What is loaded at the first question needs descriptors as well.
    await served.metrics();
    // Room for the connection's two sockets and no pipe.
    spawnSync('prlimit', ['--pid', String(pid), `--nofile=${openFiles(pid) + 2}:20000`]);
    const client = await openClient(scene, served.address('flood'));
    await client.ended();
    expect(client.received).toBe(floodBytes);
    spawnSync('prlimit', ['--pid', String(pid), '--nofile=1024:20000']);
    const metrics = await served.metrics();
    expect(metrics.sum('sluice_worker_pipes_refused_total')).toBeGreaterThan(0);
    assertServedBy(metrics, engine);
  });

  it('goes on when descriptors run out, and takes more when some are free', async () => {
    const echo = await startOriginProcess(scene, 'echo');
    const limit = 300;
    const served = await runSluice(
      scene,
      { ...simpleConfig(engine, [echo.address]), maxConnections: 10_000 },
      { under: ['prlimit', `--nofile=${limit}:${limit}`] },
    );
    // What is loaded at the first question needs descriptors as well.
    await served.metrics();
    const works = async (client: Client): Promise<boolean> => {
      client.write('x');
      return Promise.race([
        client.receive(1).then(
          () => true,
          () => false,
        ),
        pause(1000).then(() => false),
      ]);
    };
    const first = await openClients(scene, served.address(), 20);
    expect(await Promise.all(first.map(works))).not.toContain(false);
    const more = await openClients(scene, served.address(), limit);
    const answered = await Promise.all(more.map(works));
    expect(answered).toContain(false);
    for (const client of first) {
      const before = client.received;
      client.write('y');
      await client.receive(before + 1);
    }
    expect(served.program.hasExited).toBe(false);
    // With none at all to be had, accepting itself fails.
    spawnSync('prlimit', ['--pid', String(served.program.pid), `--nofile=3:${limit}`]);
    await openClients(scene, served.address(), 4);
    await pause(500);
    spawnSync('prlimit', ['--pid', String(served.program.pid), `--nofile=${limit}:${limit}`]);
    for (const client of more) client.close();
    const again = async (): Promise<boolean> =>
      exchange(served.address(), 'z').then(
        (answer) => answer.toString() === 'z',
        () => false,
      );
    await until('new connections are taken', again, 10_000);
    const metrics = await served.metrics();
    const shortOf = { reason: 'descriptors' };
    expect(metrics.sum('sluice_worker_accept_errors_total', shortOf)).toBeGreaterThan(0);
    assertServedBy(metrics, engine);
  });
});
