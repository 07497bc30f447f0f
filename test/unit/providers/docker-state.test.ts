import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { build } from '../../../src/model/build.ts';
import type { Container } from '../../../src/providers/docker-facts.ts';
import { newsBetween } from '../../../src/providers/docker-news.ts';
import { poolName, stateOf } from '../../../src/providers/docker-state.ts';
import { merge } from '../../../src/providers/merge.ts';
import { container, rules } from '../../fixtures/containers.ts';

const host = { self: undefined, engineHost: undefined, network: undefined };
const given = (containers: readonly Container[], leaving: readonly string[] = []) => ({
  containers,
  rules,
  surroundings: host,
  leaving: (id: string) => (leaving.includes(id) ? 'it was told to end' : undefined),
});
const web = (labels: Record<string, string> = {}, more: Partial<Container> = {}) =>
  container({ 'sluice.enable': 'true', 'sluice.host': 'a.example', ...labels }, more);
const ids = (state: ReturnType<typeof stateOf>, pool: string): string[] => [
  ...(state.desired.pools.get(pool)?.backends.keys() ?? []),
];
const pool = 'docker:a.example@:80';

describe('containers with the same route', () => {
  it('are one pool, whose listener is asked for by each', () => {
    const [a, b] = [web(), web({ 'sluice.weight': '3' })];
    const state = stateOf(given([a, b]));
    expect([...state.desired.pools.keys()]).toEqual([pool]);
    const backends = [...(state.desired.pools.get(pool)?.backends.values() ?? [])];
    expect(backends.map(({ weight }) => weight)).toEqual([1, 3]);
    expect(state.desired.attached.map(({ origin }) => origin)).toEqual([
      `container ${a.name}`,
      `container ${b.name}`,
    ]);
    // Together with nothing else it is a whole configuration.
    const { model, flags } = merge([state.desired]);
    expect(flags).toEqual([]);
    expect([...build(model).listeners.keys()]).toEqual(['docker:80']);
  });

  it('take the settings of the youngest, and the longest drain', () => {
    const old = web({ 'sluice.drain.timeout': '2m' });
    const lb = { 'lb.enable': 'Y', 'lb.publish': '80', 'lb.target': '80' };
    const young = web({ 'sluice.drain.timeout': '5s' });
    expect(stateOf(given([old, young])).desired.pools.get(pool)?.settings).toMatchObject({
      strategy: 'round_robin',
      drainTimeoutMs: 120_000,
    });
    const published = stateOf(given([container(lb)])).desired.pools.get('docker:*@:80');
    expect(published?.settings).toMatchObject({ strategy: 'least_connections' });
  });
});

describe('a container that takes nothing now', () => {
  it.each([
    [{ status: 'paused' }, 'it is paused'],
    [{ status: 'restarting' }, 'it is restarting'],
    [{ health: 'starting' as const }, 'its health check says starting'],
    [{ health: 'unhealthy' as const }, 'its health check says unhealthy'],
    [{ networks: [{ name: 'bridge', address: '' }] }, "it has no address in network 'bridge' yet"],
  ])('keeps its route, which answers 503: %j', (more, reason) => {
    const state = stateOf(given([web({}, more)]));
    expect(ids(state, pool)).toEqual([]);
    expect(state.desired.attached).toHaveLength(1);
    expect(state.statuses[0]).toMatchObject({ state: 'skipped', reason });
  });

  it('drains when it was told to end', () => {
    const [a, b] = [web(), web()];
    const state = stateOf(given([a, b], [a.id]));
    expect(ids(state, pool)).toHaveLength(1);
    expect(state.statuses.map((one) => one.state)).toEqual(['draining', 'balanced']);
  });
});

describe('mistakes', () => {
  it('of one are nobody else’s', () => {
    const two = [
      { name: 'a', address: '10.0.0.2' },
      { name: 'b', address: '10.1.0.2' },
    ];
    const bad = [web({ 'sluice.port': 'x' }), web({}, { networks: two })];
    const state = stateOf(given([web(), ...bad]));
    expect(ids(state, pool)).toHaveLength(1);
    expect(state.desired.attached).toHaveLength(1);
    expect(state.statuses.map((one) => one.state)).toEqual(['balanced', 'skipped', 'skipped']);
  });
});

describe('what stays the same', () => {
  it('is the same object', () => {
    const all = [web(), web({ 'sluice.host': 'b.example' })];
    const first = stateOf(given(all));
    expect(stateOf(given(all), first.desired).desired).toBe(first.desired);
    const second = stateOf(given([...all, web({ 'sluice.host': 'b.example' })]), first.desired);
    expect(second.desired).not.toBe(first.desired);
    expect(second.desired.pools.get(pool)).toBe(first.desired.pools.get(pool));
  });

  it('is not another container at the same address', () => {
    const same = { networks: [{ name: 'bridge', address: '172.17.0.9' }] };
    const keyOf = (one: Container) =>
      stateOf(given([one]))
        .desired.pools.get(pool)
        ?.backends.get('172.17.0.9:80')?.key;
    expect(keyOf(web({}, same))).not.toBe(keyOf(web({}, same)));
  });
});

describe('names of pools', () => {
  it('differ where routes do', () => {
    const part = fc.constantFrom('', 'a.example', '*.a.example', '80', 'b');
    const path = fc.constantFrom('', '/a', '/a@b', '/@:80');
    const place = fc.constantFrom(':80', '10.0.0.1:80', 'web', '[::1]:80');
    const key = fc.tuple(part, path, place);
    fc.assert(
      fc.property(key, key, (a, b) => {
        expect(poolName(...a) === poolName(...b)).toBe(a.join(' ') === b.join(' '));
      }),
    );
  });
});

describe('the log', () => {
  const news = (before: Container[], after: Container[], leaving: string[] = []) =>
    newsBetween(stateOf(given(before)).statuses, stateOf(given(after, leaving)).statuses).map(
      ({ level, message, fields }) => [level, message, fields['container']],
    );

  it('says who came, went, changed and why not', () => {
    const [a, b] = [web({}, { name: 'a' }), web({ 'sluice.port': 'x' }, { name: 'b' })];
    expect(news([], [a, b])).toEqual([
      ['info', 'container joined', 'a'],
      ['warn', 'container skipped', 'b'],
    ]);
    expect(news([a, b], [a, b])).toEqual([]);
    expect(news([a], [a], [a.id])).toEqual([['info', 'container drains', 'a']]);
    expect(news([a, b], [])).toEqual([['info', 'container ended', 'a']]);
    expect(news([a], [{ ...a, health: 'unhealthy' }])).toEqual([['info', 'container left', 'a']]);
    expect(news([a], [{ ...a, name: 'c' }])).toEqual([['info', 'container changed', 'c']]);
    expect(news([], [container()])[0]?.slice(0, 2)).toEqual(['debug', 'container ignored']);
  });
});
