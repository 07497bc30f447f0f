// A short run of `npm run chaos`: good and bad clients and backends together, edits all the while,
// and everything adds up at the end.
import { beforeAll, expect, it } from 'vitest';
import { runChaos } from '../chaos/run.ts';
import { buildOnce } from '../fixtures/programs.ts';
import { forEachEngine } from '../fixtures/scene.ts';

beforeAll(buildOnce);

forEachEngine((engine) => {
  it('adds up after ten seconds of chaos', async () => {
    const { complaints, rounds, edits, sums } = await runChaos(engine, 10, 1);
    console.log(`${engine}: ${edits} edits, ${sums['requests']} requests, rounds`, rounds);
    expect(complaints).toEqual([]);
    expect(edits).toBeGreaterThan(20);
  }, 90_000);
});
