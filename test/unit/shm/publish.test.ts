import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ipAddress } from '../../../src/config/address.ts';
import { defaults } from '../../../src/config/defaults.ts';
import type { Address } from '../../../src/model/types.ts';
import { type Plan, Publisher } from '../../../src/shm/publish.ts';
import { Region } from '../../../src/shm/region.ts';
import { hostHash, routeHash, tableSizeFor } from '../../../src/shm/route-table.ts';
import { Decoded } from '../../fixtures/decode.ts';
import { FakeFleet } from '../../fixtures/fake-fleet.ts';

const ip = (host: string, port: number): Address => {
  const address = ipAddress(host, port);
  if (address === undefined) throw new Error(host);
  return address;
};
const unix = (path: string): Address => ({ kind: 'unix', path, text: `unix:${path}` });

const pool = (slot: number, members: Plan['pools'][number]['members']) => ({
  slot,
  incarnation: slot + 1,
  strategy: 'p2c' as const,
  connectTimeoutMs: 5000,
  connectRetries: 2,
  ejection: { failures: 7, baseMs: 1500, maxMs: 45_000 },
  retryAfterS: 9,
  http: defaults.poolHttp,
  members,
});
const listener = (slot: number, routes: Plan['listeners'][number]['routes']) => ({
  slot,
  incarnation: 3,
  mode: 'tcp' as const,
  family: 'ipv4' as const,
  maxConnections: 11,
  idleTimeoutMs: 600_000,
  descriptors: [40 + slot, 50 + slot],
  http: defaults.http,
  routes,
});
const route = (slot: number, host: string, pathPrefix: string, pool: number) => ({
  slot,
  incarnation: slot + 1,
  host,
  pathPrefix,
  pool,
});

const plan: Plan = {
  maxConnections: 1000,
  listenersVersion: 5,
  listeners: [
    listener(0, [route(5, '', '', 2)]),
    listener(3, [route(1, 'a.example', '', 0), route(2, '*.b.example', '/x/y', 2)]),
  ],
  pools: [
    pool(2, [
      { slot: 4, incarnation: 9, address: ip('10.1.2.3', 80) },
      { slot: 1, incarnation: 2, address: unix('/run/app.sock') },
    ]),
    pool(0, [{ slot: 0, incarnation: 1, address: ip('2001:db8::1', 443) }]),
  ],
};

describe('Publisher', () => {
  it('writes what a decoder reads back', () => {
    const fleet = new FakeFleet(1);
    const publisher = new Publisher(new Region(fleet.region));
    const generation = publisher.write(plan, 3, 12);
    expect(generation).toBe((12 << 3) | 3);
    const read = new Decoded(fleet, generation);
    expect(read.head('generation')).toBe(generation);
    expect(read.head('listenersHigh')).toBe(4);
    expect(read.head('poolsHigh')).toBe(3);
    expect(read.head('backendsHigh')).toBe(5);
    expect(read.head('membersCount')).toBe(3);
    expect(read.head('descriptorsCount')).toBe(4);
    expect(read.head('maxConnections')).toBe(1000);
    expect(read.descriptors(0)).toEqual([40, 50]);
    expect(read.descriptors(3)).toEqual([43, 53]);
    expect(read.listener(3, 'maxConnections')).toBe(11);
    expect(read.members(2)).toEqual([4, 1]);
    expect(read.members(0)).toEqual([0]);
    expect(read.pool(2, 'strategy')).toBe(2);
    expect(read.pool(2, 'ejectionFailures')).toBe(7);
    expect(read.pool(2, 'ejectionBaseMs')).toBe(1500);
    expect(read.pool(2, 'ejectionMaxMs')).toBe(45_000);
    expect(read.pool(2, 'retryAfterS')).toBe(9);
    expect(read.backend(4)).toMatchObject({ family: 1, port: 80, address: '10.1.2.3' });
    expect(read.backend(1)).toMatchObject({ family: 3, address: '/run/app.sock' });
    expect(read.backend(0)).toMatchObject({
      family: 2,
      port: 443,
      address: '20010db8000000000000000000000001',
    });
    expect(read.head('routesHigh')).toBe(6);
    expect(read.route(0)).toBe(2);
    expect(read.route(3, 'a.example')).toBe(0);
    expect(read.route(3, '*.b.example', '/x/y')).toBe(2);
    expect(read.route(3, '*.b.example')).toBeUndefined();
    expect(read.route(3)).toBeUndefined();
    expect(read.listener(3, 'hostLabelMask')).toBe(0b101);
    expect(read.listener(3, 'prefixDepthMask')).toBe(0);
    expect(read.routeWord(2, 'incarnation')).toBe(3);
  });

  it('keeps nothing of a slot’s former use', () => {
    const fleet = new FakeFleet(1);
    const publisher = new Publisher(new Region(fleet.region));
    publisher.write(plan, 1, 1);
    publisher.write({ ...plan, listeners: [], pools: [] }, 1, 2);
    const read = new Decoded(fleet, 1);
    expect(read.used('snapshotListener')).toEqual([]);
    expect(read.used('snapshotPool')).toEqual([]);
    expect(read.used('snapshotBackend')).toEqual([]);
    expect(read.head('backendsHigh')).toBe(0);
    expect(read.used('snapshotRoute')).toEqual([]);
    expect(read.head('routesHigh')).toBe(0);
    expect(read.head('hostTableSize')).toBe(0);
    expect(read.head('routeTableSize')).toBe(0);
    expect(read.route(0)).toBeUndefined();
  });

  it('copies members that stay, and packs the others', () => {
    const fleet = new FakeFleet(1);
    const publisher = new Publisher(new Region(fleet.region));
    const all = Array.from({ length: 60 }, (_, slot) => ({
      slot,
      incarnation: slot + 1,
      address: slot % 7 === 0 ? unix(`/run/${slot}.sock`) : ip(`10.0.0.${slot}`, slot + 1),
    }));
    let turn = 0;
    fc.assert(
      fc.property(fc.array(fc.subarray(all), { minLength: 1, maxLength: 6 }), (lists) => {
        for (const members of lists) {
          turn++;
          const generation = publisher.write(
            { ...plan, pools: [pool(1, members)] },
            turn % 8,
            turn,
          );
          const read = new Decoded(fleet, generation);
          expect(read.members(1)).toEqual(members.map(({ slot }) => slot));
          expect(read.head('backendsHigh')).toBe((members.at(-1)?.slot ?? -1) + 1);
          for (const one of all) {
            const found = read.backend(one.slot);
            const { address } = one;
            if (!members.includes(one)) expect(found.incarnation).toBe(0);
            else if (address.kind === 'unix') expect(found.address).toBe(address.path);
            else expect(`${found.address}:${found.port}`).toBe(address.text);
            expect(read.backendWord(one.slot, 'reserved')).toBe(0);
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  it('finds every route in tables that are at most half full', () => {
    const hosts = fc.constantFrom('', 'a.example', '*.example', '*.a.example', 'b.example');
    const part = fc.stringMatching(/^[a-c]{1,2}$/);
    const prefixes = fc.array(part, { maxLength: 32 }).map((all) => all.map((one) => `/${one}`));
    const keys = fc.uniqueArray(fc.tuple(fc.nat(255), hosts, prefixes), {
      maxLength: 300,
      selector: ([slot, host, prefix]) => `${slot} ${host} ${prefix.join('')}`,
    });
    const fleet = new FakeFleet(1);
    const publisher = new Publisher(new Region(fleet.region));
    fc.assert(
      fc.property(keys, (entries) => {
        const slots = [...new Set(entries.map(([slot]) => slot))];
        const listeners = slots.map((slot) =>
          listener(
            slot,
            entries.flatMap(([own, host, prefix], index) =>
              own === slot ? [route(index, host, prefix.join(''), index)] : [],
            ),
          ),
        );
        const read = new Decoded(fleet, publisher.write({ ...plan, listeners }, 2, 1));
        const deep = entries.filter(([, , prefix]) => prefix.length > 0);
        expect(read.head('routeTableSize')).toBe(tableSizeFor(deep.length));
        expect(read.head('routeTableSize')).toBeGreaterThanOrEqual(deep.length * 2);
        expect(read.used('snapshotRoute').length).toBe(entries.length);
        for (const [index, [slot, host, prefix]] of entries.entries()) {
          expect(read.route(slot, host, prefix.join(''))).toBe(index);
          expect(read.route(slot, host, `${prefix.join('')}/none`)).toBeUndefined();
          expect(read.route(slot, 'none.example', prefix.join(''))).toBeUndefined();
        }
      }),
      { numRuns: 20 },
    );
  });

  it('hashes as FNV-1a with a final mix, hosts from their end', () => {
    const fnv = (bytes: readonly number[]): bigint =>
      bytes.reduce(
        (hash, byte) => ((hash ^ BigInt(byte)) * 0x01000193n) & 0xffffffffn,
        0x811c9dc5n,
      );
    const mix = (hash: bigint): number => {
      const mixed = ((hash ^ (hash >> 16n)) * 0x85ebca6bn) & 0xffffffffn;
      return Number(mixed ^ (mixed >> 13n));
    };
    expect(hostHash(1, 2, Buffer.from('ab'))).toBe(mix(fnv([1, 0, 0, 0, 2, 0, 0, 0, 0x62, 0x61])));
    const scope = (3n * 0x9e3779b1n) & 0xffffffffn;
    expect(routeHash(1, 3, Buffer.from('/a'))).toBe(mix(fnv([1, 0, 0, 0, 0x2f, 0x61]) ^ scope));
  });

  it.each([
    [1_000, 5],
    [16_384, 20],
  ])('publishes %i backends fast', (count, boundMs) => {
    const fleet = new FakeFleet(1);
    const publisher = new Publisher(new Region(fleet.region));
    const members = Array.from({ length: count }, (_, slot) => ({
      slot,
      incarnation: 1,
      address: ip(`10.${slot >> 14}.${(slot >> 7) & 127}.${slot & 127}`, 80),
    }));
    const full: Plan = { ...plan, pools: [pool(2, members), pool(0, [])] };
    const times: number[] = [];
    for (let turn = 1; turn <= 24; turn++) {
      const start = performance.now();
      publisher.write(full, turn % 8, turn);
      times.push(performance.now() - start);
    }
    times.splice(0, 8); // the first turns fault the pages in and warm the code
    times.sort((a, b) => a - b);
    const median = times[times.length >> 1] ?? 0;
    console.log(`publish ${count} backends: median ${median.toFixed(2)} ms`);
    expect(median).toBeLessThan(boundMs);
  });
});
