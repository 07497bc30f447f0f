// Nine thousand idle keep-alive clients: each was answered once and is held, costs next to
// nothing, also when many of them have asked at one time, and is answered again afterwards.
import { beforeAll, expect, it } from 'vitest';
import { readMemory } from '../../bench/memory.ts';
import { assertServedBy } from '../fixtures/balancers.ts';
import { httpConfig } from '../fixtures/http-balancers.ts';
import { get, HttpClient } from '../fixtures/http-clients.ts';
import { BalancerProcess } from '../fixtures/load-programs.ts';
import { buildOnce, startHttpProcess } from '../fixtures/programs.ts';
import { forEachEngine, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
const count = 9000;
// What so many requests at one time need is counted as well, but is none of the idle clients':
// about 8 KiB each, most of it the heads on their way and the connection to a backend.
const openAtOnce = 32;
const againAtOnce = 500;
// Of them ask at one time; what that needs goes back to the system soon after.
const burst = 1000;
const restMs = 15_000;
const bytesPerClientMax = 384;
beforeAll(buildOnce);

async function inGroups<Item>(
  size: number,
  items: readonly Item[],
  each: (item: Item) => Promise<unknown>,
): Promise<void> {
  for (let from = 0; from < items.length; from += size) {
    await Promise.all(items.slice(from, from + size).map(each));
  }
}

async function askTwice(client: HttpClient): Promise<void> {
  for (let round = 0; round < 2; round++) {
    const { status, text } = await client.ask(get());
    if (status !== 200 || text !== 'origin') throw new Error(`answered ${status} ${text}`);
  }
}

forEachEngine((engine) => {
  it('holds them in little memory, and serves them again', async () => {
    const { address } = await startHttpProcess(scene, 'origin');
    const lb = await BalancerProcess.start(
      scene,
      httpConfig(engine, [address], {
        listener: { timeouts: { clientIdle: '5m' } },
        more: { maxConnections: count + 100 },
      }),
    );
    const { pid } = lb.program;
    const before = readMemory(pid).engineBytes;
    const clients: HttpClient[] = [];
    scene.after(() => {
      for (const client of clients) client.close();
    });
    await inGroups(openAtOnce, Array.from({ length: count }), async () => {
      const client = await new HttpClient(lb.target).opened();
      clients.push(client);
      await askTwice(client);
    });

    const held = await lb.metrics();
    expect(held.one('sluice_listener_connections_active')).toBe(count);
    expect(held.one('sluice_listener_requests_active')).toBe(0);
    expect(held.sum('sluice_worker_buffers_lent')).toBe(0);
    const bytesEach = (): number => (readMemory(pid).engineBytes - before) / count;
    const tell = (when: string, bytes: number): void => {
      const verdict = bytes <= bytesPerClientMax ? 'met' : 'missed';
      const limit = `limit ${bytesPerClientMax}: ${verdict}`;
      console.log(`${engine}: ${bytes.toFixed(0)} bytes a client ${when}, ${limit}`);
    };
    const bytes = bytesEach();
    tell('that is idle', bytes);
    expect(bytes).toBeLessThanOrEqual(bytesPerClientMax);
    assertServedBy(held, engine);

    await Promise.all(clients.slice(0, burst).map(askTwice));
    const afterBurst = bytesEach().toFixed(0);
    console.log(`${engine}: ${afterBurst} bytes a client when ${burst} of them have just asked`);
    const isReturned = (): boolean => bytesEach() <= bytesPerClientMax;
    await until('what a burst needs is given back', isReturned, restMs).catch(() => {});
    tell('that is idle again', bytesEach());
    expect(bytesEach()).toBeLessThanOrEqual(bytesPerClientMax);

    await inGroups(againAtOnce, clients, askTwice);
    const served = await lb.metrics();
    const good = served.one('sluice_listener_responses_total', { status: '2xx' });
    expect(good).toBe(4 * count + 2 * burst);
    expect(served.one('sluice_listener_requests_total')).toBe(4 * count + 2 * burst);
    expect(served.one('sluice_listener_connections_total')).toBe(count);
    for (const client of clients) client.close();
    const none = async (): Promise<boolean> =>
      (await lb.metrics()).one('sluice_listener_connections_active') === 0;
    await until('they are gone', none, 10_000);
  }, 90_000);
});
