// Routes of several providers on one set of listeners: who gets what, and who is told why not.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { resolveDesired } from '../../../src/config/resolve.ts';
import type { AttachedRoutes, Backend, Desired, Listener } from '../../../src/model/types.ts';
import { routesFrom } from '../../../src/providers/definitions.ts';
import { type Merged, merge } from '../../../src/providers/merge.ts';
import { nothing } from '../../../src/providers/provider.ts';

const stated = (source: string, config: object): Promise<Desired<Backend>> =>
  resolveDesired(parseConfig(config, source));

const file = await stated('file', {
  listeners: {
    web: { listen: ':80', mode: 'http', routes: [{ hosts: ['a.example'], pool: 'a' }] },
    raw: { listen: ':5432', mode: 'tcp', routes: [{ pool: 'a' }] },
  },
  pools: { a: {}, b: {}, c: {} },
});

const opening = async (listen: string, mode = 'http'): Promise<Listener> => {
  const config = { listen, mode, routes: mode === 'tcp' ? [{ pool: 'a' }] : [] };
  const { listeners } = await stated('x', { listeners: { it: config } });
  return { ...(listeners.get('it') as Listener), name: listen, routes: [] };
};
const at80 = await opening(':80');
const at90 = await opening(':90');
const raw80 = await opening(':80', 'tcp');

type Where = AttachedRoutes['on'];
const named = (listener: string): Where => ({ kind: 'name', listener });
const open = (listener: Listener): Where => ({ kind: 'open', listener });

const wish = (origin: string, on: Where, host: string, pool: string): AttachedRoutes => ({
  origin,
  on,
  routes: routesFrom({ hosts: [host], pool }, origin),
});

const docker = (...attached: AttachedRoutes[]): Desired<Backend> => ({
  ...nothing('docker'),
  attached,
});

const routesOf = ({ model }: Merged): Record<string, string[]> =>
  Object.fromEntries(
    [...model.listeners].map(([name, { routes }]) => [
      name,
      routes.map(({ host, pool }) => `${host}→${pool}`),
    ]),
  );

describe('attached routes', () => {
  it('go to the listener of a name or of an address', () => {
    const merged = merge([
      file,
      docker(
        wish('one', named('web'), 'b.example', 'b'),
        wish('two', open(at80), 'c.example', 'c'),
        wish('three', open(at90), 'd.example', 'c'),
        wish('four', open(at90), 'e.example', 'b'),
      ),
    ]);
    expect(routesOf(merged)).toEqual({
      web: ['a.example→a', 'b.example→b', 'c.example→c'],
      raw: ['→a'],
      ':90': ['d.example→c', 'e.example→b'],
    });
    expect(merged.flags).toEqual([]);
    expect([...merged.opened]).toEqual([':90']);
    expect(merged.owners.get('listener :90')).toBe('docker');
    expect(merged.owners.get('listener web')).toBe('file');
    // Nobody wants it any more.
    expect(routesOf(merge([file, docker()], merged))).not.toHaveProperty([':90']);
  });

  it.each([
    ['unknown name', named('nobody'), 'x.example', 'b', "there is 'web', 'raw'"],
    ['another mode', open(raw80), 'x.example', 'b', "'web' listens there in mode http"],
    ['no such pool', named('web'), 'x.example', 'z', "there is no pool 'z'"],
    ['the definition has it', named('web'), 'a.example', 'b', "listener web has it for pool 'a'"],
  ])('are flagged and left out: %s', (_, on, host, pool, reason) => {
    const merged = merge([file, docker(wish('one', on, host, pool))]);
    expect(routesOf(merged)).toEqual(routesOf(merge([file])));
    expect(merged.flags).toHaveLength(1);
    expect(merged.flags[0]).toMatchObject({ source: 'docker', origin: 'one' });
    expect(merged.flags[0]?.reason).toContain(reason);
  });

  it('leave a listener out that cannot be opened, and the others alone', () => {
    const wishes = docker(
      wish('one', open(at90), 'x.example', 'b'),
      wish('two', named('web'), 'y.example', 'b'),
    );
    const merged = merge([file, wishes], undefined, new Map([[':90', 'EADDRINUSE']]));
    expect(routesOf(merged)).toEqual({ web: ['a.example→a', 'y.example→b'], raw: ['→a'] });
    expect(merged.flags).toMatchObject([{ origin: 'one', reason: 'EADDRINUSE' }]);
  });

  it('stay with who had them first, whatever the order is later', () => {
    const one = wish('one', named('web'), 'x.example', 'b');
    const two = wish('two', named('web'), 'x.example', 'c');
    const before = merge([file, docker(two)]);
    const both = merge([file, docker(one, two)], before);
    expect(routesOf(both)['web']).toContain('x.example→c');
    expect(both.flags).toMatchObject([{ origin: 'one', reason: "two has it for pool 'c'" }]);
    const after = merge([file, docker(one)], both);
    expect(routesOf(after)['web']).toContain('x.example→b');
  });

  it('of an override take the place of all others', () => {
    const override: Desired<Backend> = {
      ...nothing('api'),
      layer: 'override',
      attached: [wish('route r', named('web'), 'a.example', 'c')],
    };
    const merged = merge([file, docker(wish('one', named('web'), 'a.example', 'b')), override]);
    expect(routesOf(merged)['web']).toEqual(['a.example→c']);
    expect(merged.flags).toMatchObject([{ origin: 'one', reason: "route r has it for pool 'c'" }]);
  });

  it('have one owner each, and everybody else is told, for any wishes in any order', () => {
    const any = fc.record({
      origin: fc.constantFrom('one', 'two', 'three'),
      on: fc.constantFrom(named('web'), named('nobody'), open(at80), open(at90), open(raw80)),
      host: fc.constantFrom('a.example', 'x.example', 'y.example'),
      pool: fc.constantFrom('a', 'b', 'z'),
    });
    fc.assert(
      fc.property(fc.array(fc.array(any, { maxLength: 6 }), { maxLength: 5 }), (steps) => {
        let merged = merge([file]);
        for (const wishes of steps) {
          const all = wishes.map(({ origin, on, host, pool }) => wish(origin, on, host, pool));
          merged = merge([file, docker(...all)], merged);
          expect(merge([file, docker(...all)], merged)).toEqual(merged);
          const routes = [...merged.model.listeners.values()].flatMap((listener) =>
            listener.routes.map(({ host, pool }) => ({ listener: listener.name, host, pool })),
          );
          const keys = routes.map(({ listener, host }) => `${listener} ${host}`);
          expect(new Set(keys).size).toBe(keys.length);
          for (const { pool } of routes) expect(merged.model.pools.has(pool)).toBe(true);
          for (const { origin, host, pool } of wishes) {
            const inForce = routes.some((route) => route.host === host && route.pool === pool);
            const flagged = merged.flags.some((flag) => flag.origin === origin);
            expect(inForce || flagged).toBe(true);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
