// Tables that TypeScript writes, matched by C++, compared with a matcher that knows no tables.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { defaults } from '../../src/config/defaults.ts';
import { normalizePath } from '../../src/config/route.ts';
import { workerBase } from '../../src/shm/layout.gen.ts';
import { type PlanListener, Publisher } from '../../src/shm/publish.ts';
import { Region } from '../../src/shm/region.ts';
import type { PlanRoute } from '../../src/shm/route-table.ts';
import { FakeFleet } from '../fixtures/fake-fleet.ts';
import { root } from '../fixtures/scene.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-routes-'));
const probe = join(folder, 'probe');
const file = join(folder, 'region');
const fleet = new FakeFleet(1);
const publisher = new Publisher(new Region(fleet.region));

beforeAll(() => {
  const files = ['test/contract/routes_probe.cc', 'native/proxy/router.cc'];
  const sources = [...files, 'native/proxy/route_path.cc'].map((path) => join(root, path));
  const flags = ['-std=c++20', '-O1', '-Wall', `-I${join(root, 'native')}`];
  execFileSync('g++', [...flags, ...sources, '-o', probe], { stdio: 'inherit' });
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Request {
  readonly listener: number;
  readonly authority: string;
  readonly path: string;
}

// How specific a host is for a name: 0, not at all; 1, every host; wildcards by their length.
function rank(host: string, name: string): number {
  if (host === '') return 1;
  if (!host.startsWith('*.')) return name === host ? 1000 : 0;
  const ending = host.slice(1);
  return name.length > ending.length && name.endsWith(ending) ? 1 + ending.length : 0;
}

function naive(listeners: readonly PlanListener[], { listener, authority, path }: Request): number {
  const routes = listeners.find(({ slot }) => slot === listener)?.routes ?? [];
  const port = authority.indexOf(':');
  const lower = (port === -1 ? authority : authority.slice(0, port)).toLowerCase();
  const name = lower.endsWith('.') ? lower.slice(0, -1) : lower;
  const [before = ''] = path.split(/[?#]/);
  const normal = before.startsWith('/') ? normalizePath(before) : '';
  const fitting = routes.filter(
    ({ host, pathPrefix: prefix }) =>
      rank(host, name) > 0 &&
      (prefix === '' || normal === prefix || normal.startsWith(`${prefix}/`)),
  );
  const [best] = fitting.sort(
    (a, b) => rank(b.host, name) - rank(a.host, name) || b.pathPrefix.length - a.pathPrefix.length,
  );
  return best?.slot ?? -1;
}

function matched(listeners: readonly PlanListener[], requests: readonly Request[]): number[] {
  const plan = { maxConnections: 0, listenersVersion: 1, listeners, pools: [] };
  const generation = publisher.write(plan, 5, 77);
  writeFileSync(file, new Uint8Array(fleet.region, 0, workerBase));
  const lines = requests.map(
    ({ listener, authority, path }) => `${listener} ${authority || '-'} ${path || '-'}`,
  );
  const output = execFileSync(probe, [file, String(generation)], {
    input: `${lines.join('\n')}\n`,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return output.trim().split('\n').map(Number);
}

const listenerOf = (slot: number, routes: readonly PlanRoute[]): PlanListener => ({
  slot,
  incarnation: 1,
  mode: 'http',
  family: 'ipv4',
  maxConnections: 0,
  idleTimeoutMs: 1,
  descriptors: [],
  routes,
  http: defaults.http,
});

function expectSame(listeners: readonly PlanListener[], requests: readonly Request[]): number[] {
  const expected = requests.map((request) => naive(listeners, request));
  const found = matched(listeners, requests);
  const wrong = requests.flatMap((request, index) =>
    found[index] === expected[index]
      ? []
      : [{ ...request, found: found[index], expected: expected[index] }],
  );
  expect(wrong.slice(0, 3)).toEqual([]);
  expect(found.length).toBe(requests.length);
  return found;
}

// Few letters, so that much of it meets.
const slots = [0, 7, 255] as const;
const label = fc.constantFrom('a', 'b', 'aa');
const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
const host = fc.oneof(
  fc.constant(''),
  name,
  name.map((text) => `*.${text}`),
);
const segment = fc.constantFrom('a', 'b', 'ab', '%2F', 'A');
const prefix = fc
  .oneof(
    { weight: 9, arbitrary: fc.array(segment, { maxLength: 4 }) },
    { weight: 1, arbitrary: fc.array(segment, { minLength: 28, maxLength: 32 }) },
  )
  .map((segments) => segments.map((one) => `/${one}`).join(''));
const wild = fc.constantFrom(
  'a',
  'b',
  'ab',
  '',
  '.',
  '..',
  '%61',
  '%2f',
  '%2e%2E',
  '%',
  '%4',
  '%zz',
);
const pathTail = fc.array(fc.oneof({ weight: 2, arbitrary: segment }, wild), { maxLength: 6 });
const authority = fc
  .tuple(
    fc.oneof({ weight: 8, arbitrary: name }, fc.constantFrom('', '.a', 'a..b', '..', 'é')),
    fc.constantFrom('', '.', ':80', '.:80', ':'),
    fc.boolean(),
  )
  .map(([text, tail, upper]) => (upper ? text.toUpperCase() : text) + tail);

// Most begin like a route's prefix.
const request = (prefixes: readonly string[]): fc.Arbitrary<Request> =>
  fc.record({
    listener: fc.constantFrom(...slots, 8),
    authority,
    path: fc
      .tuple(fc.constantFrom('', ...prefixes), pathTail, fc.constantFrom('', '?', '?x=/a/b', '#/a'))
      .map(([start, tail, query]) => `${start}/${tail.join('/')}${query}`),
  });

const world = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...slots), host, prefix), {
    maxLength: 60,
    selector: (key) => key.join(' '),
  })
  .chain((keys) =>
    fc.tuple(
      fc.constant(keys),
      fc.array(request(keys.map(([, , own]) => own)), { minLength: 100, maxLength: 200 }),
    ),
  );

it('finds what a matcher without tables finds', () => {
  let some = 0;
  let none = 0;
  fc.assert(
    fc.property(world, ([keys, requests]) => {
      const listeners = slots.map((slot) =>
        listenerOf(
          slot,
          keys.flatMap(([own, name, pathPrefix], index) =>
            own === slot ? [{ slot: index, incarnation: 1, host: name, pathPrefix, pool: 0 }] : [],
          ),
        ),
      );
      for (const found of expectSame(listeners, requests)) {
        if (found === -1) none++;
        else some++;
      }
    }),
    { numRuns: 100, seed: 20_260_101 },
  );
  // The comparison says something only where both happen.
  expect(some).toBeGreaterThan(1000);
  expect(none).toBeGreaterThan(1000);
});

it('finds each of 4,096 routes, and paths that are longer than what is kept of them', () => {
  const routes = Array.from({ length: 4096 }, (_, slot) => ({
    slot,
    incarnation: 1,
    host: slot % 2 === 0 ? `h${slot % 64}.example` : `*.h${slot % 64}.example`,
    pathPrefix: `/app/${slot}`,
    pool: 0,
  }));
  const listeners = [listenerOf(7, routes)];
  const long = `/${'x'.repeat(3000)}`;
  const requests = routes.flatMap(({ host: own, pathPrefix: path }) => {
    const text = own.replace('*', 'WWW');
    return [
      { listener: 7, authority: text, path },
      { listener: 7, authority: `${text}:80`, path: `${long}/..${path}${long}?${long}` },
      { listener: 7, authority: text, path: `${path}0000/` },
    ];
  });
  const found = expectSame(listeners, requests);
  expect(new Set(found).size).toBe(4097);
});
