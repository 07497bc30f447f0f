import { describe, expect, it, vi } from 'vitest';
import { Acks } from '../../../src/control/acks.ts';
import { generationOf, Region } from '../../../src/shm/region.ts';
import { FakeFleet } from '../../fixtures/fake-fleet.ts';

function setUp(stuck: readonly number[] = []) {
  const fleet = new FakeFleet(2);
  const region = new Region(fleet.region);
  const acks = new Acks(region, { timeoutMs: 60, isStuck: (worker) => stuck.includes(worker) });
  const adopt = (worker: number, sequence: number, slot: number): void =>
    fleet.put('worker', 'adopted', generationOf(sequence, slot), 0, worker);
  return { fleet, region, acks, adopt };
}

describe('waiting', () => {
  it('ends when all have adopted', async () => {
    const { acks, adopt, fleet } = setUp();
    adopt(0, 2, 1);
    setTimeout(() => adopt(1, 3, 2), 5);
    expect(await acks.wait({ sequence: 2, live: 0 })).toEqual([]);
    setTimeout(() => {
      fleet.put('worker', 'liveAdopted', 4, 0, 0);
      fleet.put('worker', 'liveAdopted', 5, 0, 1);
    }, 5);
    expect(await acks.wait({ sequence: 2, live: 4 })).toEqual([]);
  });

  it('names those that did not in time', async () => {
    const { acks, adopt } = setUp();
    adopt(0, 1, 0);
    const start = performance.now();
    expect(await acks.wait({ sequence: 1, live: 0 })).toEqual([1]);
    expect(performance.now() - start).toBeGreaterThanOrEqual(59);
  });

  it('does not wait to the end for a worker that is known to be stuck', async () => {
    const { acks, adopt } = setUp([1]);
    adopt(0, 1, 0);
    const start = performance.now();
    expect(await acks.wait({ sequence: 1, live: 0 })).toEqual([1]);
    expect(performance.now() - start).toBeLessThan(50);
  });

  it('ends with a code when the memory goes', async () => {
    const { acks, region } = setUp();
    setTimeout(() => region.close(), 5);
    await expect(acks.wait({ sequence: 1, live: 0 })).rejects.toMatchObject({
      code: 'ERR_SLUICE_CLOSED',
    });
  });
});

describe('snapshot slots', () => {
  it('are reused when no worker names, uses or holds them', () => {
    const { acks, adopt, fleet } = setUp();
    expect(acks.freeSnapshotSlot(0)).toBe(1);
    for (let sequence = 1; sequence <= 8; sequence++) {
      acks.recordPublished(generationOf(sequence, sequence % 8));
    }
    const current = generationOf(8, 0);
    adopt(0, 1, 1);
    adopt(1, 8, 0);
    // Worker 0 is far behind: it keeps the slot it uses and the one it is about to use.
    fleet.put('worker', 'adopting', generationOf(3, 3), 0, 0);
    fleet.hold(1, 2, 1);
    const free = new Set<number>();
    for (let slot = acks.freeSnapshotSlot(current); slot !== undefined; ) {
      free.add(slot);
      fleet.hold(1, slot, 1);
      slot = acks.freeSnapshotSlot(current);
    }
    expect(free).toEqual(new Set([4, 5, 6, 7]));
    adopt(0, 8, 0);
    fleet.put('worker', 'adopting', generationOf(8, 0), 0, 0);
    expect([1, 3]).toContain(acks.freeSnapshotSlot(current));
  });

  // What a worker does to its words, one store after another, while it goes from generation 1 over
  // generation 2 in slot 2 to generation 3 and still has a connection of generation 2.
  describe('are kept while a worker moves between two looks at its words', () => {
    const stores: readonly ((fleet: FakeFleet) => void)[] = [
      (fleet) => fleet.put('worker', 'adopting', generationOf(2, 2), 0, 0),
      (fleet) => fleet.put('worker', 'adopted', generationOf(2, 2), 0, 0),
      (fleet) => fleet.put('worker', 'adopting', generationOf(3, 3), 0, 0),
      (fleet) => fleet.hold(0, 2, 1),
      (fleet) => fleet.put('worker', 'adopted', generationOf(3, 3), 0, 0),
    ];
    // The first store names slot 2; until the last one is done, and after it, it is in use.
    for (let done = 1; done <= stores.length; done++) {
      for (let each = 0; each <= stores.length - done; each++) {
        it(`${done} stores before, ${each} after every look`, () => {
          const { acks, fleet, region } = setUp();
          for (const sequence of [1, 2, 3]) acks.recordPublished(generationOf(sequence, sequence));
          fleet.put('worker', 'adopting', generationOf(1, 1), 0, 0);
          fleet.put('worker', 'adopted', generationOf(1, 1), 0, 0);
          let next = 0;
          const step = (count: number): void => {
            for (const store of stores.slice(next, next + count)) store(fleet);
            next += count;
          };
          step(done);
          for (const word of ['adopting', 'adopted', 'snapshotRefs'] as const) {
            const look = region[word].bind(region) as (worker: number, slot: number) => number;
            vi.spyOn(region, word).mockImplementation((worker: number, slot = 0) => {
              const seen = look(worker, slot);
              step(each);
              return seen;
            });
          }
          // Slot 2 is the one looked at first.
          expect(acks.freeSnapshotSlot(generationOf(9, 1))).not.toBe(2);
          expect(region.adopting).toHaveBeenCalled();
        });
      }
    }
  });

  it('vouch for slots that an old one named', () => {
    const { acks, adopt, fleet } = setUp();
    acks.recordPublished(generationOf(1, 1));
    acks.recordPublished(generationOf(2, 2));
    adopt(0, 2, 2);
    adopt(1, 1, 1);
    expect(acks.isPast(2)).toBe(false);
    adopt(1, 2, 2);
    expect(acks.isPast(2)).toBe(true);
    fleet.hold(1, 1, 1);
    expect(acks.isPast(2)).toBe(false);
    fleet.hold(1, 1, 0);
    fleet.hold(1, 2, 1);
    expect(acks.isPast(2)).toBe(true);
  });
});
