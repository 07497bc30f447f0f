import { describe, expect, it } from 'vitest';
import {
  generationOf,
  isLiveReached,
  isReached,
  nextSequence,
  Region,
  sequenceOf,
  slotOf,
} from '../../../src/shm/region.ts';
import { FakeFleet } from '../../fixtures/fake-fleet.ts';

describe('Region', () => {
  it('refuses memory of another layout and names both hashes', () => {
    const fleet = new FakeFleet(1);
    fleet.put('header', 'schemaHashLow', 1);
    expect(() => new Region(fleet.region)).toThrow(/has memory layout [0-9a-f]{16}.*needs/);
    expect(() => new Region(fleet.region)).toThrow(
      expect.objectContaining({ code: 'ERR_SLUICE_ADDON_LAYOUT' }),
    );
  });

  it('throws a code once it is closed', () => {
    const region = new Region(new FakeFleet(1).region);
    region.close();
    expect(() => region.adopted(0)).toThrow(expect.objectContaining({ code: 'ERR_SLUICE_CLOSED' }));
    expect(() => region.writeWeight(0, 1)).toThrow(
      expect.objectContaining({ code: 'ERR_SLUICE_CLOSED' }),
    );
  });

  it('keeps live words apart by slot', () => {
    const fleet = new FakeFleet(1);
    const region = new Region(fleet.region);
    region.writeAdmin(16_383, 2);
    region.writeHealth(16_383, 0xffffff, 2);
    region.writeWeight(16_383, 7);
    expect(region.readLive(16_383)).toEqual({ admin: 2, health: 0xffffff02, weight: 7 });
    expect(region.readLive(16_382)).toEqual({ admin: 0, health: 0, weight: 0 });
    region.bumpPool(1023);
    expect(fleet.get('poolLive', 'epoch', 1023)).toBe(1);
  });
});

describe('generations', () => {
  it('hold sequence and slot, and wrap without meeting 0', () => {
    const last = 2 ** 29 - 1;
    const generation = generationOf(last, 7);
    expect([sequenceOf(generation), slotOf(generation)]).toEqual([last, 7]);
    expect(nextSequence(last)).toBe(1);
    expect(nextSequence(1)).toBe(2);
  });

  it('are compared across the wrap', () => {
    expect(isReached(5, 5)).toBe(true);
    expect(isReached(4, 5)).toBe(false);
    expect(isReached(2, 2 ** 29 - 1)).toBe(true);
    expect(isReached(2 ** 29 - 1, 2)).toBe(false);
    expect(isReached(0, 5)).toBe(false);
    expect(isLiveReached(1, 0xffffffff)).toBe(true);
    expect(isLiveReached(0xffffffff, 1)).toBe(false);
  });
});
