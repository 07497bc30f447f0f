// Nine thousand idle pairs: each did one round trip and is held, and costs next to nothing.
import { beforeAll, expect, it } from 'vitest';
import { readMemory } from '../../bench/memory.ts';
import { assertServedBy, simpleConfig } from '../fixtures/balancers.ts';
import { BalancerProcess, buildLoad, freePorts, startLoad } from '../fixtures/load-programs.ts';
import { buildOnce } from '../fixtures/programs.ts';
import { forEachEngine, root, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
const pairs = 9000;
const bytesPerPairMax = 768;
beforeAll(() => {
  buildOnce();
  buildLoad(root);
});

forEachEngine((engine) => {
  it('holds them in little memory, and lets them go', async () => {
    const origins = await freePorts(3);
    const backends = origins.map((port) => `127.0.0.1:${port}`);
    const lb = await BalancerProcess.start(scene, {
      ...simpleConfig(engine, backends),
      maxConnections: pairs + 100,
    });
    const { pid } = lb.program;
    const before = readMemory(pid).engineBytes;
    const options = { mode: 'idle', connections: pairs, seconds: 1 } as const;
    const { program, result } = startLoad(scene, lb.target, origins, options);
    await program.line(/"ready"/);
    const held = await lb.metrics();
    expect(held.one('sluice_listener_connections_active')).toBe(pairs);
    expect(held.sum('sluice_worker_buffers_lent_small')).toBe(0);
    const bytes = (readMemory(pid).engineBytes - before) / pairs;
    const verdict = bytes <= bytesPerPairMax ? 'met' : 'missed';
    const limit = `limit ${bytesPerPairMax}: ${verdict}`;
    console.log(`${engine}: ${bytes.toFixed(0)} bytes a pair, ${limit}`);
    expect(bytes).toBeLessThanOrEqual(bytesPerPairMax);
    assertServedBy(held, engine);
    program.tell('end');
    expect((await result).errors).toBe(0);
    const none = async (): Promise<boolean> =>
      (await lb.metrics()).one('sluice_listener_connections_active') === 0;
    await until('they are gone', none, 10_000);
  }, 60_000);
});
