// Bytes both ways, and every way in which a connection ends.
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  assertServedBy,
  metricsOf,
  serveByAll,
  simpleConfig,
  startBalancer,
} from '../fixtures/balancers.ts';
import {
  type Client,
  exchange,
  openClient,
  openClients,
  type Target,
} from '../fixtures/clients.ts';
import { deadPort, echo, nameOnly, startOrigin, startOrigins } from '../fixtures/origins.ts';
import { startOriginProcess } from '../fixtures/programs.ts';
import { forEachEngine, pause, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const errors = (reason: string) => ['sluice_pool_errors_total', { reason }] as const;

forEachEngine((engine) => {
  const balance = async (
    backends: readonly string[],
    more: Parameters<typeof simpleConfig>[2] = {},
  ) => {
    const lb = await startBalancer(scene, simpleConfig(engine, backends, more));
    return { lb, target: lb.address('in') as Target };
  };

  describe('bytes', () => {
    it('pass unchanged, small and large, many connections at a time', async () => {
      const { address } = await startOrigin(scene);
      const { lb, target } = await balance([address]);
      await serveByAll(target, () => metricsOf(lb));
      const bodies = [1, 100, 4096, 4097, 65_536, 1_000_000, 5_000_000].map((size) =>
        randomBytes(size),
      );
      const answers = await Promise.all(bodies.map((body) => exchange(target, body)));
      expect(answers.map(hash)).toEqual(bodies.map(hash));
      assertServedBy(metricsOf(lb), engine);
    });

    it.each(['listener', 'backend'] as const)('pass over a unix: %s', async (which) => {
      const path = join(scene.folder(), 'x.sock');
      const unix = which === 'backend';
      const { address } = await startOrigin(scene, unix ? { path } : {});
      const more = unix ? {} : { listener: { listen: `unix:${path}` } };
      const { lb, target } = await balance([address], more);
      await serveByAll(target, () => metricsOf(lb));
      const body = randomBytes(300_000);
      expect(hash(await exchange(target, body))).toBe(hash(body));
      assertServedBy(metricsOf(lb), engine);
    });

    it('pass over IPv6, from end to end', async () => {
      const { address } = await startOrigin(scene, { host: '::1' });
      const { target } = await balance([address], { listener: { listen: '[::1]:0' } });
      const body = randomBytes(100_000);
      expect(hash(await exchange(target, body))).toBe(hash(body));
    });

    it('are taken by all backends in turn', async () => {
      const origins = await startOrigins(scene, ['a', 'b', 'c'], nameOnly);
      const { lb, target } = await balance(origins.map(({ address }) => address));
      for (let asked = 0; asked < 60; asked++) await exchange(target);
      await serveByAll(target, () => metricsOf(lb));
      const counts = origins.map(({ connections }) => connections);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2);
    });
  });

  describe('a half of a connection', () => {
    it('ends alone when the client ends', async () => {
      const answer = randomBytes(500_000);
      const { address } = await startOrigin(scene, {
        serve: (socket) => {
          let heard = 0;
          socket.on('data', (chunk) => {
            heard += chunk.length;
          });
          socket.on('end', () => setTimeout(() => socket.end(`${heard} `.concat('x')), 50));
          socket.on('end', () => socket.write(answer));
        },
      });
      const { target } = await balance([address]);
      const got = await exchange(target, randomBytes(200_000));
      expect(hash(got.subarray(0, answer.length))).toBe(hash(answer));
      expect(got.subarray(answer.length).toString()).toBe('200000 x');
    });

    it('ends alone when the backend ends', async () => {
      let heard = 0;
      let ended = false;
      const { address } = await startOrigin(scene, {
        serve: (socket) => {
          socket.end('bye');
          socket.on('data', (chunk) => {
            heard += chunk.length;
          });
          socket.on('end', () => {
            ended = true;
          });
        },
      });
      const { lb, target } = await balance([address]);
      const client = await openClient(scene, target);
      expect(await client.ended()).toEqual({ how: 'end' });
      expect(client.text).toBe('bye');
      for (let round = 0; round < 5; round++) {
        client.write(Buffer.alloc(100_000));
        await pause(10);
      }
      expect(ended).toBe(false);
      client.end();
      await until('all arrived', () => ended);
      expect(heard).toBe(500_000);
      await until('freed', () => metricsOf(lb).one('sluice_pool_connections_active') === 0);
      expect(metricsOf(lb).sum('sluice_pool_errors_total')).toBe(0);
    });
  });

  describe('a reset', () => {
    it('of the backend reaches the client as a reset', async () => {
      const { address } = await startOrigin(scene, {
        serve: (socket) => socket.once('data', () => socket.resetAndDestroy()),
      });
      const { lb, target } = await balance([address]);
      const client = await openClient(scene, target);
      client.write('x');
      expect(await client.ended()).toEqual({ how: 'reset', code: 'ECONNRESET' });
      await until('counted', () => metricsOf(lb).one(...errors('backend_reset')) === 1);
    });

    it('of the client reaches the backend as a reset', async () => {
      let code: string | undefined;
      const { address } = await startOrigin(scene, {
        serve: (socket) => {
          echo(socket);
          socket.on('error', (error: NodeJS.ErrnoException) => {
            code = error.code;
          });
        },
      });
      const { lb, target } = await balance([address]);
      const client = await openClient(scene, target);
      client.write('x');
      await client.receive(1);
      client.reset();
      await until('the backend hears of it', () => code !== undefined);
      expect(code).toBe('ECONNRESET');
      await until('counted', () => metricsOf(lb).one(...errors('client_reset')) === 1);
    });
  });

  describe('a backend that cannot be reached', () => {
    it('is passed over for the next one', async () => {
      const dead = `127.0.0.1:${await deadPort()}`;
      const [alive] = await startOrigins(scene, ['alive'], nameOnly);
      const { lb, target } = await balance([dead, alive?.address ?? '']);
      for (let asked = 0; asked < 20; asked++) {
        expect((await exchange(target)).toString()).toBe('alive');
      }
      const metrics = metricsOf(lb);
      const refused = metrics.one(...errors('connect_refused'));
      expect(refused).toBeGreaterThan(0);
      expect(metrics.one('sluice_pool_retries_total')).toBe(refused);
      expect(metrics.one('sluice_backend_connections_total', { backend: dead })).toBe(0);
    });

    it('is passed over when it does not answer in time', async () => {
      const silent = await startOriginProcess(scene, 'silent');
      // Fills its queue, so that further connects stay unanswered.
      const [host = '', port] = silent.address.split(':');
      for (let index = 0; index < 4; index++) {
        void openClient(scene, { host, port: Number(port) }).catch(() => {});
      }
      await pause(100);
      const [alive] = await startOrigins(scene, ['alive'], nameOnly);
      const pool = { connectTimeout: '200ms' };
      const { lb, target } = await balance([silent.address, alive?.address ?? ''], { pool });
      const start = performance.now();
      for (let asked = 0; asked < 4; asked++) {
        expect((await exchange(target)).toString()).toBe('alive');
      }
      expect(performance.now() - start).toBeLessThan(4000);
      expect(metricsOf(lb).one(...errors('connect_timeout'))).toBeGreaterThan(0);
    });

    it('ends the connection when there is no other', async () => {
      const { lb, target } = await balance([`127.0.0.1:${await deadPort()}`]);
      const client = await openClient(scene, target);
      client.write('x');
      await client.ended();
      await until('counted', () => metricsOf(lb).one(...errors('no_backend')) === 1);
      expect(client.received).toBe(0);
    });
  });

  describe('a connection on which nothing moves', () => {
    it('is ended after its time, and not while something moves', async () => {
      const { address } = await startOrigin(scene);
      const listener = { idleTimeout: '600ms' };
      const { lb, target } = await balance([address], { listener });
      const [idle, busy] = await openClients(scene, target, 2);
      for (const client of [idle, busy] as Client[]) {
        client.write('x');
        await client.receive(1);
      }
      const start = performance.now();
      const talk = setInterval(() => busy?.write('x'), 100);
      scene.after(() => clearInterval(talk));
      await idle?.ended();
      const took = performance.now() - start;
      expect(took).toBeGreaterThan(500);
      expect(took).toBeLessThan(3000);
      expect(busy?.isOpen).toBe(true);
      expect(metricsOf(lb).one(...errors('idle_timeout'))).toBe(1);
    });
  });
});
