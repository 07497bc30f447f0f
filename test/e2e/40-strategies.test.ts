// Strategies that look at what backends have now, told apart from taking turns: connections of one
// backend end, and the next ones fill the gap.
import { expect, it } from 'vitest';
import { metricsOf, simpleConfig, startBalancer } from '../fixtures/balancers.ts';
import { type Client, openClient, type Target } from '../fixtures/clients.ts';
import { named, startOrigins } from '../fixtures/origins.ts';
import { runSluice } from '../fixtures/programs.ts';
import { forEachEngine, pause, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
// How often a worker looks at what the others hold, with a margin: picks further apart are exact.
const lookMs = 6;
const stale = 1;

forEachEngine((engine) => {
  // Of two backends p2c compares both, so its choice is as certain as the other's.
  it.each([
    ['least_connections', 4],
    ['p2c', 2],
  ] as const)('%s sends new work where least is going on', async (strategy, backends) => {
    const each = 10;
    const names = ['a', 'b', 'c', 'd'].slice(0, backends);
    const origins = await startOrigins(scene, names, named);
    const addresses = origins.map(({ address }) => address);
    const lb = await startBalancer(scene, simpleConfig(engine, addresses, { pool: { strategy } }));
    const target = lb.address('in') as Target;
    const held: { readonly client: Client; readonly name: string }[] = [];
    const hold = async (count: number): Promise<void> => {
      for (let made = 0; made < count; made++) {
        const client = await openClient(scene, target);
        await pause(lookMs);
        held.push({ client, name: String(await client.receive(2)).trim() });
      }
    };
    const active = (): number[] =>
      addresses.map((backend) =>
        metricsOf(lb).one('sluice_backend_connections_active', { backend }),
      );
    const expectEven = (): void => {
      for (const count of active()) expect(Math.abs(count - each)).toBeLessThanOrEqual(stale);
    };
    await hold(each * backends);
    expectEven();
    for (const { client, name } of held) if (name === 'a') client.close();
    await until('they are gone', () => active()[0] === 0);
    await hold(each);
    const onA = held.slice(-each).filter(({ name }) => name === 'a');
    expect(onA.length).toBeGreaterThanOrEqual(each - stale);
    expectEven();
  });

  it('p2c keeps many backends about even', async () => {
    const each = 40;
    const origins = await startOrigins(scene, ['a', 'b', 'c', 'd', 'e'], named);
    const addresses = origins.map(({ address }) => address);
    const pool = { strategy: 'p2c' } as const;
    const lb = await startBalancer(scene, simpleConfig(engine, addresses, { pool }));
    for (let made = 0; made < each * origins.length; made++) {
      const client = await openClient(scene, lb.address('in') as Target);
      await client.receive(2);
    }
    // By chance alone they would be apart by twice the deviation, which is 6, and more.
    for (const { open } of origins) expect(Math.abs(open.size - each)).toBeLessThanOrEqual(6);
  });

  it('workers are pinned inside the affinity mask', async () => {
    const [origin] = await startOrigins(scene, ['a'], named);
    const { workers: _, ...automatic } = simpleConfig(engine, [origin?.address ?? '']);
    const under = ['taskset', '-c', '1'];
    const one = await runSluice(scene, automatic, { under, workers: 1 });
    const two = await runSluice(scene, { ...automatic, workers: 2 }, { under });
    for (const [served, workers] of [
      [one, 1],
      [two, 2],
    ] as const) {
      await served.prove(engine, workers);
      const infos = (await served.metrics()).all('sluice_worker_info');
      expect(infos.map(({ labels }) => labels['cpu'])).toEqual(Array(workers).fill('1'));
    }
  });
});
