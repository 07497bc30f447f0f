// JavaScript stands still for more than five seconds under load: traffic does not notice. The load
// and the balancer are processes of their own. What is compared are runs within seconds of each
// other: before, during and after, so that a machine which grows slower or faster counts for both.
// What a busy loop takes from the processors is not the point: beside the other runs another
// process spins.
import { beforeAll, expect, it } from 'vitest';
import { simpleConfig } from '../fixtures/balancers.ts';
import {
  type Compared,
  comparedTimeoutMs,
  expectUnaffected,
  load,
  measure,
  type Run,
  type Site,
} from '../fixtures/compared.ts';
import { BalancerProcess, buildLoad, freePorts } from '../fixtures/load-programs.ts';
import { buildOnce, start } from '../fixtures/programs.ts';
import { forEachEngine, root, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => {
  buildOnce();
  buildLoad(root);
});

const blockedMs = 5800;
forEachEngine((engine) => {
  it(
    'does as many requests at the same cost while JavaScript waits',
    async () => {
      await expectUnaffected(`${engine}, waiting`, () => compared('wait'));
    },
    comparedTimeoutMs,
  );

  it(
    'takes every connection at the same cost while JavaScript spins',
    async () => {
      const connecting = async (site: Site): Promise<void> => {
        const { errors, work, first_error } = await load(scene, site, 'connect', 0.6);
        expect(first_error).toBe('');
        expect(errors).toBe(0);
        expect(work).toBeGreaterThan(100);
      };
      const spinning = (): Promise<Compared> => compared('spin', connecting);
      await expectUnaffected(`${engine}, spinning`, spinning, ['cost']);
    },
    comparedTimeoutMs,
  );

  // Runs of the load before and after a block, and within it.
  async function compared(
    how: 'wait' | 'spin',
    besides?: (site: Site) => Promise<void>,
  ): Promise<Compared> {
    const origins = await freePorts(2);
    const backends = origins.map((port) => `127.0.0.1:${port}`);
    const lb = await BalancerProcess.start(scene, simpleConfig(engine, backends));
    const site = { pid: lb.program.pid, target: lb.target, origins };
    const usual: Run[] = [];
    const measureUsual = async (): Promise<void> => {
      const spinner = how === 'spin' ? start(scene, process.execPath, ['-e', 'for (;;);']) : null;
      usual.push(await measure(scene, site), await measure(scene, site));
      spinner?.child.kill('SIGKILL');
      await spinner?.exited;
    };
    await measure(scene, site); // The first connections and the first pages cost more.
    await measureUsual();
    lb.program.tell(`${how} ${blockedMs}`);
    const since = performance.now();
    const blocked = [await measure(scene, site), await measure(scene, site)];
    blocked.push(await measure(scene, site));
    await besides?.(site);
    expect(performance.now() - since).toBeLessThan(blockedMs);
    expect(lb.program.out.join()).not.toContain('"done"');
    await lb.program.line(/"done"/);
    await measureUsual();
    return { usual, affected: blocked };
  }
});
