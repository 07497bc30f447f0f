// JavaScript stands still for five seconds under load: traffic does not notice. The load and the
// balancer are processes of their own. What is compared are runs within seconds of each other:
// before, during and after, so that a machine which grows slower or faster counts for both. What a
// busy loop takes from the processors is not the point: in the runs beside it another process spins.
import { beforeAll, expect, it } from 'vitest';
import { simpleConfig } from '../fixtures/balancers.ts';
import { BalancerProcess, buildLoad, freePorts, startLoad } from '../fixtures/load-programs.ts';
import { workerCpuSeconds } from '../fixtures/process-facts.ts';
import { buildOnce, start } from '../fixtures/programs.ts';
import { forEachEngine, root, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => {
  buildOnce();
  buildLoad(root);
});

const blockedMs = 5000;
const runSeconds = 1.2;
// Three times the deviation of runs on a machine of two processors that other work shares.
const leastRate = 0.8;
const mostCost = 1.15;

interface Run {
  readonly rate: number; // requests a second
  readonly cost: number; // CPU time of the workers for one of them, in microseconds
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

// One line with what was measured and what was allowed; true when it was met.
function verdict(what: string, measured: number, limit: number, holds: boolean): boolean {
  const word = holds ? 'met' : 'missed';
  console.log(`${what} ${measured.toFixed(3)} of the usual, limit ${limit}: ${word}`);
  return holds;
}

forEachEngine((engine) => {
  it('does as many requests at the same cost while JavaScript waits', async () => {
    const { usual, blocked } = await compared('wait');
    const rate = mean(blocked.map((run) => run.rate)) / mean(usual.map((run) => run.rate));
    const cost = mean(blocked.map((run) => run.cost)) / mean(usual.map((run) => run.cost));
    const rateHolds = verdict(`${engine}, waiting: rate`, rate, leastRate, rate > leastRate);
    const costHolds = verdict(`${engine}, waiting: CPU a request`, cost, mostCost, cost < mostCost);
    expect({ rateHolds, costHolds }).toEqual({ rateHolds: true, costHolds: true });
  });

  it('takes every connection at the same cost while JavaScript spins', async () => {
    const { usual, blocked } = await compared('spin', async ({ load }) => {
      const { errors, work, first_error } = await load('connect', runSeconds);
      expect(first_error).toBe('');
      expect(errors).toBe(0);
      expect(work).toBeGreaterThan(100);
    });
    const cost = mean(blocked.map((run) => run.cost)) / mean(usual.map((run) => run.cost));
    expect(verdict(`${engine}, spinning: CPU a request`, cost, mostCost, cost < mostCost)).toBe(
      true,
    );
  });

  // Runs of the load before and after a block, and within it.
  async function compared(
    how: 'wait' | 'spin',
    besides?: (parts: Awaited<ReturnType<typeof prepared>>) => Promise<void>,
  ): Promise<{ readonly usual: Run[]; readonly blocked: Run[] }> {
    const parts = await prepared();
    const { lb, measure } = parts;
    const usual: Run[] = [];
    const measureUsual = async (): Promise<void> => {
      const spinner = how === 'spin' ? start(scene, process.execPath, ['-e', 'for (;;);']) : null;
      usual.push(await measure(), await measure());
      spinner?.child.kill('SIGKILL');
      await spinner?.exited;
    };
    await measure(); // The first connections and the first pages cost more.
    await measureUsual();
    lb.program.tell(`${how} ${blockedMs}`);
    const since = performance.now();
    const blocked = [await measure(), await measure()];
    if (besides === undefined) blocked.push(await measure());
    else await besides(parts);
    expect(performance.now() - since).toBeLessThan(blockedMs);
    expect(lb.program.out.join()).not.toContain('"done"');
    await lb.program.line(/"done"/);
    await measureUsual();
    return { usual, blocked };
  }

  async function prepared() {
    const origins = await freePorts(2);
    const backends = origins.map((port) => `127.0.0.1:${port}`);
    const lb = await BalancerProcess.start(scene, simpleConfig(engine, backends));
    const { pid } = lb.program;
    const load = (mode: 'roundtrip' | 'connect', seconds: number) =>
      startLoad(scene, lb.target, origins, { mode, seconds, warmup: 0 }).result;
    const measure = async (): Promise<Run> => {
      const before = workerCpuSeconds(pid);
      const { errors, work, seconds } = await load('roundtrip', runSeconds);
      expect(errors).toBe(0);
      expect(work).toBeGreaterThan(1000);
      return { rate: work / seconds, cost: ((workerCpuSeconds(pid) - before) / work) * 1e6 };
    };
    return { lb, load, measure };
  }
});
