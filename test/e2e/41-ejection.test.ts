// What workers do by themselves with backends that fail the traffic: no checks are configured.
import { beforeAll, expect, it } from 'vitest';
import type { LoadBalancer } from '../../src/index.ts';
import { metricsOf, simpleConfig, startBalancer } from '../fixtures/balancers.ts';
import { exchange, type Target } from '../fixtures/clients.ts';
import { httpConfig, startHttp } from '../fixtures/http-balancers.ts';
import { askOnce, get, openHttp } from '../fixtures/http-clients.ts';
import { message, startHttpOrigin, wait } from '../fixtures/http-origins.ts';
import { BalancerProcess } from '../fixtures/load-programs.ts';
import { deadPort, nameOnly, startOrigin } from '../fixtures/origins.ts';
import { buildOnce, startHttpProcess } from '../fixtures/programs.ts';
import { forEachEngine, pause, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => buildOnce());

const dead = async (): Promise<string> => `127.0.0.1:${await deadPort()}`;
const backendOf = (lb: LoadBalancer, id: string) =>
  lb
    .pool('web')
    .backends()
    .find((backend) => backend.id === id);
const refusals = (lb: LoadBalancer): number =>
  metricsOf(lb).one('sluice_pool_errors_total', { reason: 'connect_refused' });

interface Asked {
  readonly began: number;
  readonly status: number;
  readonly text: string;
}

// Clients that ask one request after the other until the test ends them.
function load(target: Target, clients: number) {
  const asked: Asked[] = [];
  let isOver = false;
  const running = Array.from({ length: clients }, async () => {
    const client = await openHttp(scene, target);
    while (!isOver) {
      const began = performance.now();
      const { status, text } = await client.ask(get('/delay/5'));
      asked.push({ began, status, text });
    }
  });
  const end = async (): Promise<readonly Asked[]> => {
    isOver = true;
    await Promise.all(running);
    return asked;
  };
  return { asked, end };
}

forEachEngine((engine) => {
  it('loses no more than what a killed backend had in flight, and takes it back', async () => {
    const a = await startHttpProcess(scene, 'a');
    const b = await startHttpProcess(scene, 'b');
    const { lb, target } = await startHttp(scene, engine, [a.address, b.address], {
      pool: { ejection: { baseTime: '200ms', maxTime: '400ms' } },
    });
    const told: string[] = [];
    lb.on('backend:ejected', ({ backend, reason }) => told.push(`ejected ${backend} ${reason}`));
    lb.on('backend:up', ({ backend }) => told.push(`up ${backend}`));
    const { asked, end } = load(target, 12);
    await until('both serve', () => new Set(asked.map(({ text }) => text)).size === 2);
    b.program.child.kill('SIGKILL');
    await b.program.exited;
    const gone = performance.now();
    const served = asked.length;
    await until('it is ejected', () => backendOf(lb, b.address)?.health === 'ejected');
    await until('much was served without it', () => asked.length > served + 300, 20_000);
    const ejections = metricsOf(lb).one('sluice_pool_ejections_total', { reason: 'connect' });
    expect(ejections).toBeGreaterThan(0);
    // Whom it was ejected from needs few tries to find out that it is still gone.
    expect(refusals(lb)).toBeLessThanOrEqual(ejections + 24);
    expect(told).toContain(`ejected ${b.address} connect`);
    const port = Number(b.address.split(':')[1]);
    const again = await startHttpProcess(scene, 'b again', port);
    expect(again.address).toBe(b.address);
    await until('it serves again', () => asked.at(-1)?.text === 'b again');
    await until('that is told', () => told.includes(`up ${b.address}`));
    expect(backendOf(lb, b.address)?.ejection).toBeUndefined();
    const all = await end();
    const failed = all.filter(({ status }) => status !== 200);
    // Each of the twelve had one request at most, and none that began later failed.
    expect(failed.length).toBeLessThanOrEqual(12);
    for (const { began } of failed) expect(began).toBeLessThan(gone);
  });

  it('asks a backend that refuses once, not with every request or connection', async () => {
    const none = await dead();
    const origin = await startOrigin(scene, { name: 'a', serve: nameOnly });
    const tcp = await startBalancer(scene, simpleConfig(engine, [none, origin.address]));
    const target = tcp.address('in') as Target;
    for (let nth = 0; nth < 40; nth++) expect(String(await exchange(target))).toBe('a');
    expect(refusals(tcp)).toBeGreaterThan(0);
    expect(refusals(tcp)).toBeLessThanOrEqual(8); // of some 20; two workers, which try again
    // Unless it is told not to.
    await tcp.apply(simpleConfig(engine, [none, origin.address], { pool: { ejection: false } }));
    const before = refusals(tcp);
    for (let nth = 0; nth < 40; nth++) expect(String(await exchange(target))).toBe('a');
    expect(refusals(tcp)).toBeGreaterThanOrEqual(before + 15);
  });

  it('ejects a backend that connects and then fails so many times in a row', async () => {
    const good = await startHttpOrigin(scene, (call) => call.send(message('good')));
    const resets = await startHttpOrigin(scene, (call) => call.reset(), { anything: true });
    const hangs = await startHttpOrigin(scene, wait, { anything: true });
    for (const bad of [resets, hangs]) {
      const { lb, target } = await startHttp(scene, engine, [good.address, bad.address], {
        pool: {
          ejection: { failures: 2, baseTime: '30s' },
          timeouts: { responseHead: '150ms' },
        },
      });
      const statuses = async (count: number): Promise<number[]> => {
        const found: number[] = [];
        for (let nth = 0; nth < count; nth++) found.push((await askOnce(target, get())).status);
        return found;
      };
      await until(
        'both workers have ejected it',
        async () => {
          await statuses(2);
          return backendOf(lb, bad.address)?.ejection?.workers === 2;
        },
        20_000,
      );
      expect(bad.calls.length).toBe(4);
      expect(await statuses(20)).toEqual(new Array(20).fill(200));
      expect(backendOf(lb, bad.address)?.ejection?.reason).toBe('failures');
      const labels = { pool: 'web', backend: bad.address };
      expect(metricsOf(lb).one('sluice_backend_ejected', labels)).toBe(2);
      expect(metricsOf(lb).one('sluice_backend_up', labels)).toBe(0);
      // Answers with an error are answers.
      const failures = { reason: 'failures' };
      expect(metricsOf(lb).one('sluice_pool_ejections_total', failures)).toBe(2);
    }
  });

  it('tries ejected backends where there is nobody else', async () => {
    const none = await dead();
    const { lb, target } = await startHttp(scene, engine, [none], {
      pool: { ejection: { baseTime: '30s' } },
    });
    for (let nth = 0; nth < 8; nth++) expect((await askOnce(target, get())).status).toBe(502);
    expect(backendOf(lb, none)?.health).toBe('ejected');
    const port = Number(none.split(':')[1]);
    await startHttpOrigin(scene, (call) => call.send(message('back')), { port });
    for (let nth = 0; nth < 8; nth++) expect((await askOnce(target, get())).status).toBe(200);
    await until('it is fine', () => backendOf(lb, none)?.health === 'unknown');
  });

  it('does so while JavaScript stands still', async () => {
    const none = await dead();
    const origin = await startHttpOrigin(scene, (call) => call.send(message('good')));
    const config = httpConfig(engine, [none, origin.address], {
      pool: { ejection: { baseTime: '30s' } },
    });
    const lb = await BalancerProcess.start(scene, config);
    lb.program.tell('wait 1500');
    await pause(100);
    for (let nth = 0; nth < 40; nth++) expect((await askOnce(lb.target, get())).text).toBe('good');
    expect(lb.program.out.join()).not.toContain('"done"');
    await lb.program.line(/"done"/);
    const metrics = await lb.metrics();
    const ejections = metrics.one('sluice_pool_ejections_total', { reason: 'connect' });
    expect([1, 2]).toContain(ejections);
    const refused = metrics.one('sluice_pool_errors_total', { reason: 'connect_refused' });
    expect(refused).toBe(ejections);
    expect(metrics.one('sluice_backend_ejected', { backend: none })).toBe(ejections);
  });
});
