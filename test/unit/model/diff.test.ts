import { expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { resolveDesired } from '../../../src/config/resolve.ts';
import { diff, isEmpty } from '../../../src/model/diff.ts';
import type { Model } from '../../../src/model/types.ts';
import { merge } from '../../../src/providers/merge.ts';

async function model(
  backends: unknown[],
  more: Record<string, unknown> = {},
  listen = '127.0.0.1:80',
): Promise<Model> {
  const listeners = { in: { listen, mode: 'tcp', routes: [{ pool: 'web' }] } };
  const config = { listeners, pools: { web: { backends, ...more } } };
  return merge([await resolveDesired(parseConfig(config, 'api'))]).model;
}

const ids = (list: readonly { id: string }[] | undefined) => list?.map(({ id }) => id);

it('is empty for the same configuration, written anew', async () => {
  expect(isEmpty(diff(await model(['10.0.0.1:1']), await model(['10.0.0.1:1'])))).toBe(true);
});

it('tells backends that came, went, and changed their weight', async () => {
  const before = await model(['10.0.0.1:1', '10.0.0.2:1', '10.0.0.3:1']);
  const after = await model(['10.0.0.4:1', { address: '10.0.0.2:1', weight: 5 }, '10.0.0.3:1']);
  const changes = diff(before, after);
  expect(changes.backends).toHaveLength(1);
  expect(ids(changes.backends[0]?.added)).toEqual(['10.0.0.4:1']);
  expect(ids(changes.backends[0]?.removed)).toEqual(['10.0.0.1:1']);
  expect(ids(changes.backends[0]?.reweighted)).toEqual(['10.0.0.2:1']);
  expect(changes.poolsChanged).toEqual([]);
});

it('does not mind the order, and says the same whatever it is', async () => {
  const names = [1, 2, 3, 4, 5].map((index) => `10.0.0.${index}:1`);
  const before = await model(names);
  const [change] = diff(
    before,
    await model([...names.slice(1, 4).reverse(), '10.0.0.9:1']),
  ).backends;
  expect(ids(change?.added)).toEqual(['10.0.0.9:1']);
  expect(ids(change?.removed)?.sort()).toEqual(['10.0.0.1:1', '10.0.0.5:1']);
  expect(diff(before, await model(names.toReversed())).backends).toEqual([]);
});

it('tells settings and sockets apart', async () => {
  const before = await model([]);
  expect(diff(before, await model([], { strategy: 'p2c' })).poolsChanged).toHaveLength(1);
  const moved = diff(before, await model([], {}, '127.0.0.1:81'));
  expect(moved.listenersChanged).toHaveLength(1);
  expect(moved.poolsChanged).toEqual([]);
});

it('sees every change of a listener for HTTP', async () => {
  const at = async (more: Record<string, unknown>, route: Record<string, unknown> = {}) => {
    const routes = [{ hosts: ['a.example'], pathPrefix: '/a', pool: 'web', ...route }];
    const listeners = { in: { listen: '127.0.0.1:80', mode: 'http', routes, ...more } };
    const config = { listeners, pools: { web: {}, api: {} } };
    return merge([await resolveDesired(parseConfig(config, 'api'))]).model;
  };
  const before = await at({ trustedProxies: ['10.0.0.0/8'] });
  expect(isEmpty(diff(before, await at({ trustedProxies: ['10.0.0.0/8'], via: false })))).toBe(
    true,
  );
  const others = [
    await at({ trustedProxies: ['10.0.0.0/9'] }),
    await at({ trustedProxies: [] }),
    await at({ trustedProxies: ['10.0.0.0/8'], via: true }),
    await at({ trustedProxies: ['10.0.0.0/8'], limits: { headerCount: 9 } }),
    await at({ trustedProxies: ['10.0.0.0/8'] }, { hosts: ['b.example'] }),
    await at({ trustedProxies: ['10.0.0.0/8'] }, { pathPrefix: '/b' }),
    await at({ trustedProxies: ['10.0.0.0/8'] }, { pool: 'api' }),
  ];
  for (const after of others) expect(diff(before, after).listenersChanged).toHaveLength(1);
  const kept = await model([], { keepAlive: { maxIdle: 1 } });
  expect(diff(await model([]), kept).poolsChanged).toHaveLength(1);
});
