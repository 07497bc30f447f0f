// Route slots: counters belong to them, so they stay as long as listener, host and path prefix do.
import { afterEach, expect, it } from 'vitest';
import type { Config } from '../../../src/config/schema.ts';
import type { HttpListenerConfig } from '../../../src/config/schema-listener.ts';
import { Decoded } from '../../fixtures/decode.ts';
import { type FakeBalancer, fakeBalancer } from '../../fixtures/fake-core.ts';

type Routes = HttpListenerConfig['routes'];
const config = (routes: Routes, name = 'in'): Config => ({
  listeners: { [name]: { listen: '127.0.0.1:8080', mode: 'http', routes } },
  pools: { a: {}, b: {} },
});
const route = (host: string, pathPrefix: string, pool = 'a'): Routes[number] => ({
  hosts: [host],
  pathPrefix,
  pool,
});

let lb: FakeBalancer | undefined;
afterEach(async () => lb?.core.close(0));

async function started(routes: Routes): Promise<FakeBalancer> {
  lb = await fakeBalancer(config(routes));
  return lb;
}
const slotsOf = ({ core }: FakeBalancer, name = 'in') =>
  Object.fromEntries(
    [...(core.controller.state.routes.get(name) ?? [])].map(([key, { slot, incarnation }]) => [
      key,
      `${slot}.${incarnation}`,
    ]),
  );

it('keep their slots whatever else changes, and are given to others afterwards', async () => {
  const balancer = await started([route('x', '/1'), route('x', '/2'), route('y', '/1')]);
  expect(slotsOf(balancer)).toEqual({ 'x /1': '0.1', 'x /2': '1.1', 'y /1': '2.1' });
  await balancer.apply(config([route('z', '/'), route('y', '/1', 'b'), route('x', '/2')]));
  expect(slotsOf(balancer)).toEqual({ 'z ': '3.1', 'y /1': '2.1', 'x /2': '1.1' });
  const { state } = balancer.core.controller;
  const read = new Decoded(balancer.fleet);
  expect(read.used('snapshotRoute')).toEqual([1, 2, 3]);
  expect(read.route(0, 'y', '/1')).toBe(state.pools.get('b')?.slot);
  expect(read.route(0, 'x', '/2')).toBe(state.pools.get('a')?.slot);
  expect(read.route(0, 'x', '/1')).toBeUndefined();
  // Adopted by now: slot 0 is free for somebody else.
  await balancer.apply(config([route('y', '/1'), route('w', '/1')]));
  expect(slotsOf(balancer)).toEqual({ 'y /1': '2.1', 'w /1': '0.2' });
  expect(new Decoded(balancer.fleet).routeWord(0, 'incarnation')).toBe(2);
});

it('belong to a listener by its name', async () => {
  const balancer = await started([route('x', '/1')]);
  await balancer.apply(config([route('x', '/1')], 'other'));
  expect(slotsOf(balancer)).toEqual({});
  expect(slotsOf(balancer, 'other')).toEqual({ 'x /1': '1.1' });
});

it('are 4,096 at most, those that cool included', async () => {
  const many = (prefix: string) =>
    Array.from({ length: 4096 }, (_, index) => route('x', `/${prefix}${index}`));
  const balancer = await started(many('a'));
  await expect(balancer.apply(config(many('b')))).rejects.toMatchObject({
    code: 'ERR_SLUICE_LIMIT',
    message: expect.stringContaining('more routes'),
  });
  await balancer.apply(config(many('a').slice(0, 2000)));
  await balancer.apply(config(many('b').slice(0, 2096)));
  expect(new Decoded(balancer.fleet).used('snapshotRoute')).toHaveLength(2096);
});

it('bring settings of HTTP to the snapshot', async () => {
  const balancer = await fakeBalancer({
    listeners: {
      in: {
        listen: '127.0.0.1:8080',
        mode: 'http',
        routes: [],
        timeouts: { requestHead: '1s', clientIdle: '2s', body: '3s', tunnelIdle: '4s' },
        limits: { headBytes: '2KiB', headerCount: 5, targetBytes: '1KiB', bodyBytes: '1MiB' },
        trustedProxies: ['10.0.0.0/8', '::1'],
        via: true,
      },
      second: {
        listen: '127.0.0.1:8081',
        mode: 'http',
        routes: [],
        trustedProxies: ['fe80::/10'],
        serverClose: true,
      },
    },
    pools: {
      a: {
        keepAlive: { idleTimeout: '6s', maxRequests: 7, maxIdle: 8 },
        timeouts: { responseHead: '9s', body: '10s' },
      },
    },
  });
  lb = balancer;
  const read = new Decoded(balancer.fleet);
  const words = (slot: number, fields: readonly Parameters<Decoded['listener']>[1][]) =>
    fields.map((field) => read.listener(slot, field));
  const times = [
    'requestHeadTimeoutMs',
    'clientIdleTimeoutMs',
    'bodyTimeoutMs',
    'tunnelIdleTimeoutMs',
  ] as const;
  expect(words(0, ['mode', ...times])).toEqual([2, 1000, 2000, 3000, 4000]);
  expect(words(0, ['headBytesMax', 'fieldsMax', 'targetBytesMax'])).toEqual([2048, 5, 1024]);
  expect(words(0, ['bodyBytesMax'])).toEqual([1024 * 1024]);
  expect(words(0, ['via', 'serverClose', 'trustedFirst', 'trustedCount'])).toEqual([1, 0, 0, 2]);
  expect(words(1, ['via', 'serverClose', 'trustedFirst', 'trustedCount'])).toEqual([0, 1, 2, 1]);
  expect(words(0, ['anyRoute', 'hostLabelMask', 'prefixDepthMask'])).toEqual([0, 0, 0]);
  const range = (index: number) => {
    const at = balancer.fleet.place('snapshotTrusted', 'address', index, read.slot);
    const bits = balancer.fleet.get('snapshotTrusted', 'prefixBits', index, read.slot);
    return `${Buffer.from(balancer.fleet.bytes(at, 16)).toString('hex')}/${bits}`;
  };
  expect([0, 1, 2].map(range)).toEqual([
    '00000000000000000000ffff0a000000/104',
    '00000000000000000000000000000001/128',
    'fe800000000000000000000000000000/10',
  ]);
  const pool = ['responseHeadTimeoutMs', 'bodyTimeoutMs', 'keepAliveIdleMs'] as const;
  expect(pool.map((field) => read.pool(0, field))).toEqual([9000, 10_000, 6000]);
  expect([read.pool(0, 'keepAliveRequestsMax'), read.pool(0, 'idleMax')]).toEqual([7, 8]);
});
