import { expect, it } from 'vitest';
import type { BackendAnswer, HealthAnswer, PoolAnswer } from '../../../src/admin/api-types.ts';
import { backendsUp, concernsOf, type Known } from '../../../src/dashboard/concerns.ts';
import { Rates } from '../../../src/dashboard/rates.ts';

const backend = (id: string, more: Partial<BackendAnswer> = {}): BackendAnswer => ({
  id,
  address: id,
  pool: 'web',
  source: 'file',
  state: 'up',
  health: 'unknown',
  weight: 1,
  removing: false,
  connections: 0,
  connectionsTotal: 0,
  receivedBytes: 0,
  sentBytes: 0,
  errors: {},
  ...more,
});
const pool = (backends: BackendAnswer[], errors: Record<string, number> = {}): PoolAnswer => ({
  name: 'web',
  source: 'file',
  strategy: 'round_robin',
  connections: 0,
  connectionsTotal: 0,
  retriesTotal: 0,
  receivedBytes: 0,
  sentBytes: 0,
  errors,
  backends,
});
const health = (status: HealthAnswer['status'], reasons: string[] = []): HealthAnswer => ({
  status,
  reasons,
  version: '',
  generation: 1,
  uptimeSeconds: 1,
  timestamp: '',
  workers: [],
});
const concerns = (known: Partial<Known>) =>
  concernsOf({
    health: health('healthy'),
    pools: [],
    containers: undefined,
    config: undefined,
    rates: new Rates(),
    serverErrors: null,
    ...known,
  }).map(({ severity, what, reason }) => [severity, what, reason]);

it('has none when all is well', () => {
  expect(concerns({ pools: [pool([backend('a')])], serverErrors: 0.001 })).toEqual([]);
});

it('says what is bad before what is not, each with its reason', () => {
  const lastCheck = { at: '', ok: false, reason: 'connection refused' };
  const pools = [pool([backend('a', { health: 'unhealthy', lastCheck }), backend('b')])];
  const containers = {
    provider: { endpoint: 'unix:/d', connected: false, error: 'no such file' },
    containers: [
      {
        id: '1',
        name: 'db',
        image: 'db',
        state: 'skipped' as const,
        reason: 'it exposes no port',
        pools: [],
        routes: [],
      },
    ],
  };
  const flags = [{ source: 'docker', origin: 'container x', what: 'route y', reason: 'taken' }];
  const config = { generation: 1, config: {}, overrides: {}, flags };
  expect(concerns({ pools, containers, config, health: health('unhealthy', ['r']) })).toEqual([
    ['bad', 'The balancer is unhealthy', 'r'],
    ['bad', 'No connection to the container engine at unix:/d', 'no such file'],
    ['warning', 'Backend a of web is unhealthy', 'connection refused'],
    ['warning', 'Container db is skipped', 'it exposes no port'],
    ['warning', 'Not in force: route y (docker, container x)', 'taken'],
  ]);
});

it.each([
  ['drained', { state: 'drained' as const }],
  ['unhealthy', { health: 'unhealthy' as const }],
  ['ejected', { health: 'ejected' as const }],
  ['on its way out', { removing: true }],
  ['of weight 0', { weight: 0 }],
])('says that a pool cannot serve whose only backend is %s', (_, more) => {
  const pools = [pool([backend('a', more)])];
  const reason = 'its only backend takes no new work';
  expect(concerns({ pools })).toContainEqual(['bad', 'Pool web cannot serve', reason]);
  expect(backendsUp(pools)).toEqual({ up: 0, all: 1, text: '0 / 1' });
});

it('says so of one without backends', () => {
  const found = concerns({ pools: [pool([])] });
  expect(found).toEqual([['bad', 'Pool web cannot serve', 'it has no backends']]);
});

it('tells failures that happen now, not those of yesterday', () => {
  const rates = new Rates();
  const pools = [pool([backend('a')], { connect_refused: 9, client_reset: 4 })];
  for (const [second, refused] of [
    [0, 5],
    [2, 9],
  ] as const) {
    rates.take('pool web error connect_refused', refused, second * 1000);
    rates.take('pool web error client_reset', 4, second * 1000);
  }
  expect(concerns({ pools, rates })).toEqual([
    ['warning', 'Failures at pool web', 'connect refused 2/s'],
  ]);
});

it('weighs the share of errors', () => {
  expect(concerns({ serverErrors: 0.02 })[0]?.[0]).toBe('warning');
  expect(concerns({ serverErrors: 0.2 })[0]?.[0]).toBe('bad');
});
