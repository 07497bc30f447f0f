// Active checks: who is healthy, who is not, what that changes for traffic, and what is told of it.
import { expect, it } from 'vitest';
import type { Config, LoadBalancer } from '../../src/index.ts';
import { metricsOf, simpleConfig, startBalancer } from '../fixtures/balancers.ts';
import { exchange, type Target } from '../fixtures/clients.ts';
import { httpConfig, startHttp } from '../fixtures/http-balancers.ts';
import { askOnce, get } from '../fixtures/http-clients.ts';
import { type HttpOrigin, message, startHttpOrigin } from '../fixtures/http-origins.ts';
import { nameOnly, startOrigin } from '../fixtures/origins.ts';
import { forEachEngine, pause, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();

// Answers checks with `status`, and requests with its name.
async function checkedOrigin(name: string, status = 200) {
  const state = { status };
  const origin = await startHttpOrigin(
    scene,
    async (call) => {
      const text = call.path === '/health' ? `${state.status} Checked` : '200 OK';
      await call.send(message(name, '', text));
    },
    { name, anything: true },
  );
  return { origin, state, address: origin.address };
}
const requests = ({ calls }: HttpOrigin): number =>
  calls.filter(({ path }) => path !== '/health').length;
const checks = ({ calls }: HttpOrigin): number =>
  calls.filter(({ path }) => path === '/health').length;

const quick = { interval: '100ms', timeout: '1s', rise: 2, fall: 3 } as const;
const healthOf = (lb: LoadBalancer, id: string): string | undefined =>
  lb
    .pool('web')
    .backends()
    .find((backend) => backend.id === id)?.health;
const untilHealth = (lb: LoadBalancer, id: string, wanted: string): Promise<void> =>
  until(`${id} is ${wanted}`, () => healthOf(lb, id) === wanted);

async function askMany(target: Target, count: number): Promise<string[]> {
  const names: string[] = [];
  for (let nth = 0; nth < count; nth++) names.push((await askOnce(target, get())).text);
  return names;
}

forEachEngine((engine) => {
  it('sends nothing to a backend whose checks get 500, until they get 200 again', async () => {
    const [a, b] = [await checkedOrigin('a'), await checkedOrigin('b')];
    const { lb, target } = await startHttp(scene, engine, [a.address, b.address], {
      pool: { healthCheck: quick },
    });
    const told: string[] = [];
    for (const event of ['backend:up', 'backend:down'] as const) {
      lb.on(event, ({ backend, reason }) => told.push(`${event} ${backend} ${reason}`));
    }
    await untilHealth(lb, a.address, 'healthy');
    await untilHealth(lb, b.address, 'healthy');
    expect(new Set(await askMany(target, 8))).toEqual(new Set(['a', 'b']));

    b.state.status = 500;
    await pause(3 * 100 + 500); // fall times the interval, and what a busy machine may add
    const before = requests(b.origin);
    expect(new Set(await askMany(target, 20))).toEqual(new Set(['a']));
    expect(requests(b.origin)).toBe(before);
    expect(told).toContain(`backend:down ${b.address} status 500`);
    const labels = { pool: 'web', backend: b.address };
    const metrics = metricsOf(lb);
    expect(metrics.one('sluice_backend_health', { ...labels, state: 'unhealthy' })).toBe(1);
    expect(metrics.one('sluice_backend_up', labels)).toBe(0);
    const failed = { ...labels, result: 'status' };
    expect(metrics.one('sluice_backend_checks_total', failed)).toBeGreaterThanOrEqual(3);
    const stats = lb.stats().pools['web']?.backends[b.address];
    expect(stats?.check?.last).toMatchObject({ ok: false, result: 'status', reason: 'status 500' });
    expect(Date.now() - (stats?.check?.last?.at.getTime() ?? 0)).toBeLessThan(5000);

    b.state.status = 200;
    await untilHealth(lb, b.address, 'healthy');
    expect(new Set(await askMany(target, 8))).toEqual(new Set(['a', 'b']));
    expect(told.filter((line) => line === `backend:up ${b.address} status 200`)).toHaveLength(2);
  });

  it('answers 503 with Retry-After when no backend is left', async () => {
    const a = await checkedOrigin('a');
    const { lb, target } = await startHttp(scene, engine, [a.address], {
      pool: { healthCheck: quick },
    });
    const retryAfter = async (): Promise<string> => {
      const { status, head } = await askOnce(target, get());
      return `${status} ${head.one('retry-after')}`;
    };
    await untilHealth(lb, a.address, 'healthy');
    expect((await askOnce(target, get())).status).toBe(200);
    a.state.status = 503;
    await untilHealth(lb, a.address, 'unhealthy');
    const before = requests(a.origin);
    expect(await retryAfter()).toBe('503 1');
    expect(requests(a.origin)).toBe(before);
    a.state.status = 200;
    await untilHealth(lb, a.address, 'healthy');
    expect((await askOnce(target, get())).status).toBe(200);
    // It follows the interval; a drained backend and none at all are no different.
    await lb.pool('web').drain(a.address, { timeout: '1s' });
    expect(await retryAfter()).toBe('503 1');
    const slow = { ...quick, interval: '8s' };
    await lb.apply(httpConfig(engine, [], { pool: { healthCheck: slow } }));
    expect(await retryAfter()).toBe('503 10');
    await lb.apply(httpConfig(engine, []));
    expect(await retryAfter()).toBe('503 5');
    await lb.apply(httpConfig(engine, [a.address]));
  });

  it('sends nothing to a newcomer that is not ready, while another one is', async () => {
    const [a, b] = [await checkedOrigin('a'), await checkedOrigin('b', 503)];
    const { lb, target } = await startHttp(scene, engine, [a.address], {
      pool: { healthCheck: { ...quick, fall: 1000 } },
    });
    await untilHealth(lb, a.address, 'healthy');
    await lb.pool('web').add(b.address);
    expect(healthOf(lb, b.address)).toBe('checking');
    expect(new Set(await askMany(target, 20))).toEqual(new Set(['a']));
    await until('checked', () => checks(b.origin) > 2);
    expect(healthOf(lb, b.address)).toBe('checking');
    expect(requests(b.origin)).toBe(0);
    b.state.status = 200;
    await untilHealth(lb, b.address, 'healthy'); // by its first success
    expect(new Set(await askMany(target, 8))).toEqual(new Set(['a', 'b']));
    // Who goes and comes again begins again.
    b.state.status = 503;
    await lb.pool('web').remove(b.address, { timeout: 0 });
    await lb.pool('web').add(b.address);
    expect(healthOf(lb, b.address)).toBe('checking');
    // Where nobody is known to be good, those take the traffic that are not known to be bad.
    await lb.pool('web').drain(a.address, { timeout: 0 });
    expect(new Set(await askMany(target, 4))).toEqual(new Set(['b']));
    await lb.pool('web').undrain(a.address);
  });

  it('goes on through changes of the configuration, and keeps what it knows', async () => {
    const [a, b] = [await checkedOrigin('a'), await checkedOrigin('b', 500)];
    const config = (more: object, drainTimeout = '30s'): Config =>
      httpConfig(engine, [a.address, b.address], {
        pool: { healthCheck: { ...quick, ...more }, drainTimeout },
      });
    const lb = await startBalancer(scene, config({}));
    await untilHealth(lb, a.address, 'healthy');
    await untilHealth(lb, b.address, 'unhealthy');
    const counted = (): number =>
      lb.stats().pools['web']?.backends[a.address]?.check?.counts.success ?? 0;
    const known = counted();
    const seen: (string | undefined)[] = [];
    for (const next of [config({}), config({}, '20s'), config({ path: '/health', fall: 4 })]) {
      const before = checks(a.origin);
      await lb.apply(next);
      seen.push(healthOf(lb, a.address), healthOf(lb, b.address));
      await until('checked on', () => checks(a.origin) > before + 1);
    }
    expect(seen).toEqual(['healthy', 'unhealthy', 'healthy', 'unhealthy', 'healthy', 'unhealthy']);
    expect(counted()).toBeGreaterThan(known);
    // Without a check nobody knows; with one it begins anew.
    await lb.apply(httpConfig(engine, [a.address, b.address]));
    expect([healthOf(lb, a.address), healthOf(lb, b.address)]).toEqual(['unknown', 'unknown']);
    const before = checks(a.origin) + checks(b.origin);
    await pause(300);
    expect(checks(a.origin) + checks(b.origin)).toBeLessThanOrEqual(before + 2);
    expect(new Set(await askMany(lb.address('in') as Target, 8))).toEqual(new Set(['a', 'b']));
    await lb.apply(config({}));
    await untilHealth(lb, b.address, 'unhealthy');
  });

  it('checks TCP by connecting', async () => {
    const a = await startOrigin(scene, { name: 'a', serve: nameOnly });
    const b = await startOrigin(scene, { name: 'b', serve: nameOnly });
    const lb = await startBalancer(
      scene,
      simpleConfig(engine, [a.address, b.address], {
        pool: { healthCheck: { ...quick, type: 'tcp' }, ejection: false },
      }),
    );
    const target = lb.address('in') as Target;
    await untilHealth(lb, a.address, 'healthy');
    await untilHealth(lb, b.address, 'healthy');
    await b.stop();
    await untilHealth(lb, b.address, 'unhealthy');
    const retries = (): number => metricsOf(lb).one('sluice_pool_retries_total');
    const before = retries();
    for (let nth = 0; nth < 10; nth++) expect(String(await exchange(target))).toBe('a');
    expect(retries()).toBe(before);
    const last = lb.stats().pools['web']?.backends[b.address]?.check?.last;
    expect(last).toMatchObject({ ok: false, reason: 'connection refused' });
  });
});
