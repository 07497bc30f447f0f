// Starting, listening, what is refused, and ending.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/addon/binding.ts';
import { createLoadBalancer, type LoadBalancer } from '../../src/index.ts';
import { proveServed, quiet, simpleConfig, startBalancer } from '../fixtures/balancers.ts';
import { exchange, openClient } from '../fixtures/clients.ts';
import { nameOnly, startOrigin } from '../fixtures/origins.ts';
import { Metrics } from '../fixtures/prometheus-text.ts';
import { forEachEngine, pause, root, useScene } from '../fixtures/scene.ts';
import { proveServing } from '../fixtures/serving.ts';

const scene = useScene();
const port = (lb: LoadBalancer, name = 'in'): number => {
  const address = lb.address(name);
  return 'port' in address ? address.port : 0;
};

forEachEngine((engine) => {
  it('takes traffic as soon as it has started', async () => {
    const origin = await startOrigin(scene, { name: 'a', serve: nameOnly });
    const lb = await startBalancer(scene, simpleConfig(engine, [origin.address]));
    expect(lb.address('in')).toEqual({ host: '127.0.0.1', port: expect.any(Number) });
    for (let i = 0; i < 20; i++) {
      expect((await exchange({ host: '127.0.0.1', port: port(lb) })).toString()).toBe('a');
    }
    const { workers, listeners, pools } = lb.stats();
    expect(workers.map((worker) => [worker.state, worker.engine])).toEqual([
      ['running', engine],
      ['running', engine],
    ]);
    expect(listeners['in']?.connectionsTotal).toBe(20);
    expect(pools['web']?.backends[origin.address]?.connectionsTotal).toBe(20);
    expect(lb.health().status).toBe('healthy');
    expect(lb.metrics()).toContain('sluice');
  });

  it('tells what listens, and ends by itself at the end of a block', async () => {
    let told: unknown;
    let where = 0;
    {
      await using lb = await createLoadBalancer(simpleConfig(engine, []), { logger: quiet });
      [told] = await once(lb, 'listener:listening');
      await proveServed(lb, engine);
      where = port(lb);
    }
    expect(told).toEqual({ listener: 'in', address: { host: '127.0.0.1', port: where } });
    // The port is free again.
    const server = createServer().listen(where, '127.0.0.1');
    await once(server, 'listening');
    server.close();
  });

  it('is two of them in one process', async () => {
    const origins = await Promise.all(
      ['a', 'b'].map((name) => startOrigin(scene, { name, serve: nameOnly })),
    );
    const all = await Promise.all(
      origins.map(({ address }) => startBalancer(scene, simpleConfig(engine, [address]))),
    );
    const answers = await Promise.all(
      all.map((lb) => exchange({ host: '127.0.0.1', port: port(lb) })),
    );
    expect(answers.map(String)).toEqual(['a', 'b']);
    for (const lb of all) await proveServed(lb, engine);
    await all[0]?.close();
    expect(String(await exchange({ host: '127.0.0.1', port: port(all[1] as LoadBalancer) }))).toBe(
      'b',
    );
  });

  describe('listening', () => {
    const listener = (listen: string) => ({
      listen,
      mode: 'tcp' as const,
      routes: [{ pool: 'web' }],
    });

    it('is on Unix sockets, IPv6, and every address', async () => {
      const origin = await startOrigin(scene, { name: 'a', serve: nameOnly });
      const path = join(scene.folder(), 'in.sock');
      const lb = await startBalancer(scene, {
        workers: 2,
        engine,
        listeners: {
          unix: listener(`unix:${path}`),
          six: listener('[::1]:0'),
          all: listener(':0'),
        },
        pools: { web: { backends: [origin.address] } },
      });
      expect(lb.address('unix')).toEqual({ path });
      expect(lb.address('six')).toMatchObject({ host: '::1' });
      expect(String(await exchange({ path }))).toBe('a');
      expect(String(await exchange({ host: '::1', port: port(lb, 'six') }))).toBe('a');
      for (const host of ['127.0.0.1', '::1']) {
        expect(String(await exchange({ host, port: port(lb, 'all') }))).toBe('a');
      }
      await proveServed(lb, engine);
      await lb.close();
      expect(existsSync(path)).toBe(false);
    });

    it('names the listener whose address is taken, and starts nothing', async () => {
      const server = createServer().listen(0, '127.0.0.1');
      scene.after(() => server.close());
      await once(server, 'listening');
      const { port: taken } = server.address() as { port: number };
      const starting = createLoadBalancer(
        {
          engine,
          listeners: { free: listener('127.0.0.1:0'), full: listener(`127.0.0.1:${taken}`) },
          pools: { web: {} },
        },
        { logger: quiet },
      );
      await expect(starting).rejects.toMatchObject({
        code: 'ERR_SLUICE_LISTEN',
        details: { listener: 'listeners.full', address: `127.0.0.1:${taken}` },
        cause: { code: 'EADDRINUSE', syscall: 'bind' },
      });
    });
  });

  describe('starting is refused', () => {
    it('with everything that is wrong', async () => {
      const starting = createLoadBalancer({
        workers: -1,
        listeners: {},
        pools: { web: { strategy: 'x' } },
      } as never);
      await expect(starting).rejects.toMatchObject({
        code: 'ERR_SLUICE_CONFIG',
        issues: [
          expect.objectContaining({ path: 'workers', value: -1 }),
          expect.objectContaining({ path: 'pools.web.strategy', value: 'x' }),
        ],
      });
    });

    it('on other systems, and without a binary', () => {
      const on = (platform: string, where?: string) => () =>
        loadAddon({ platform, arch: 'x64' }, where);
      expect(on('darwin')).toThrow(expect.objectContaining({ code: 'ERR_SLUICE_PLATFORM' }));
      expect(on('darwin')).toThrow(/on Linux .* this is darwin-x64/);
      expect(on('linux', scene.folder())).toThrow(
        expect.objectContaining({
          code: 'ERR_SLUICE_ADDON_NOT_FOUND',
          message: expect.stringMatching(/linux-x64.*g\+\+.*make.*python3.*headers of node/),
        }),
      );
    });

    it('by a signal', async () => {
      const signal = AbortSignal.abort(new Error('never mind'));
      await expect(createLoadBalancer(simpleConfig(engine, []), { signal })).rejects.toThrow(
        'never mind',
      );
    });
  });

  describe('closing', () => {
    it('lets connections end, and accepts no more', async () => {
      const origin = await startOrigin(scene);
      const lb = await startBalancer(scene, simpleConfig(engine, [origin.address]));
      const target = { host: '127.0.0.1', port: port(lb) };
      const client = await openClient(scene, target);
      client.write('before');
      await client.receive(6);
      await proveServed(lb, engine);
      const closing = lb.close({ timeout: '10s' });
      await pause(50);
      await expect(exchange(target)).rejects.toThrow('ECONNREFUSED');
      client.write(' after');
      expect(String(await client.receive(12))).toBe('before after');
      client.end();
      expect((await client.ended()).how).toBe('end');
      await closing;
      expect(() => lb.stats()).toThrow(expect.objectContaining({ code: 'ERR_SLUICE_CLOSED' }));
    });

    it('cuts what is left when the time is over', async () => {
      const origin = await startOrigin(scene);
      const lb = await startBalancer(scene, simpleConfig(engine, [origin.address]));
      const client = await openClient(scene, { host: '127.0.0.1', port: port(lb) });
      client.write('x');
      await client.receive(1);
      await proveServed(lb, engine);
      const start = performance.now();
      await lb.close({ timeout: 50 });
      expect(performance.now() - start).toBeLessThan(1000);
      expect(['end', 'reset']).toContain((await client.ended()).how);
    });
  });

  it('runs in worker threads that end without closing it', async () => {
    const module = pathToFileURL(join(root, 'dist/index.js')).href;
    const script = `
    const { createLoadBalancer } = await import(${JSON.stringify(module)});
    const lb = await createLoadBalancer({
      workers: 2,
      engine: '${engine}',
      logLevel: 'silent',
      listeners: { in: { listen: '127.0.0.1:0', mode: 'tcp', routes: [{ pool: 'web' }] } },
      pools: { web: {} },
    });
    const { parentPort } = await import('node:worker_threads');
    parentPort.postMessage(lb.address('in').port);
    parentPort.on('message', () => parentPort.postMessage(lb.metrics()));
  `;
    const url = new URL(`data:text/javascript,${encodeURIComponent(script)}`);
    for (let round = 0; round < 2; round++) {
      const thread = new Worker(url);
      const [listening] = await once(thread, 'message');
      expect(listening).toBeGreaterThan(0);
      const read = async (): Promise<Metrics> => {
        const answer = once(thread, 'message');
        thread.postMessage('metrics');
        return new Metrics(String((await answer)[0]));
      };
      await proveServing({ host: '127.0.0.1', port: listening }, read, engine);
      await thread.terminate();
      await expect(exchange({ host: '127.0.0.1', port: listening })).rejects.toThrow(
        'ECONNREFUSED',
      );
    }
  });
});
