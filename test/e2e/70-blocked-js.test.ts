// JavaScript stands still for five seconds under load: traffic does not notice. The load and the
// balancer are processes of their own.
import { beforeAll, expect, it } from 'vitest';
import { assertServedBy, simpleConfig } from '../fixtures/balancers.ts';
import {
  BalancerProcess,
  buildLoad,
  freePorts,
  type LoadResult,
  startLoad,
} from '../fixtures/load-programs.ts';
import { buildOnce } from '../fixtures/programs.ts';
import { forEachEngine, pause, root, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => {
  buildOnce();
  buildLoad(root);
});

const blockedMs = 5000;
const warmupMs = 500; // of the load program

// Machines that run tests are busy with other things too: what is compared are runs within seconds
// of each other, and what JavaScript would cost if traffic waited for it is far beyond these.
const leastThroughput = 0.7;
const mostCpuPerRequest = 1.25;

forEachEngine((engine) => {
  it('does as many requests at the same cost while JavaScript waits', async () => {
    const { lb, load } = await prepared();
    const before = await load('roundtrip', 2);
    const waiting = load('roundtrip', 4.5);
    await pause(warmupMs / 2);
    lb.program.tell(`wait ${blockedMs}`);
    const during = await waiting;
    await lb.program.line(/"done":"wait"/);
    const after = await load('roundtrip', 2);
    for (const { errors, work } of [before, during, after]) {
      expect(errors).toBe(0);
      expect(work).toBeGreaterThan(1000);
    }
    const rate = ({ work, seconds }: LoadResult): number => work / seconds;
    const cost = ({ work, watched_cpu_seconds }: LoadResult): number => watched_cpu_seconds / work;
    const usual = (rate(before) + rate(after)) / 2;
    const usualCost = (cost(before) + cost(after)) / 2;
    expect(rate(during) / usual).toBeGreaterThan(leastThroughput);
    expect(cost(during) / usualCost).toBeLessThan(mostCpuPerRequest);
    assertServedBy(await lb.metrics(), engine);
  });

  it('takes every connection while JavaScript spins', async () => {
    const { lb, load } = await prepared();
    const connecting = load('connect', 4.5);
    await pause(warmupMs / 2);
    lb.program.tell(`spin ${blockedMs}`);
    const { errors, work, first_error } = await connecting;
    expect(first_error).toBe('');
    expect(errors).toBe(0);
    expect(work).toBeGreaterThan(500);
    await lb.program.line(/"done":"spin"/);
    assertServedBy(await lb.metrics(), engine);
  });

  async function prepared() {
    const origins = await freePorts(2);
    const backends = origins.map((port) => `127.0.0.1:${port}`);
    const lb = await BalancerProcess.start(scene, simpleConfig(engine, backends));
    const load = (mode: 'roundtrip' | 'connect', seconds: number): Promise<LoadResult> => {
      const watch = lb.program.pid;
      return startLoad(scene, lb.target, origins, { mode, seconds, watch }).result;
    };
    return { lb, load };
  }
});
