// Configurations that follow each other while the traffic goes on. The listener and what good
// clients need stay; everything around it changes.
import type { WholeConfig } from '../fixtures/balancers.ts';
import type { Engine } from '../fixtures/scene.ts';
import type { Backends } from './backends.ts';
import { hosts } from './clients.ts';
import type { Random } from './random.ts';

type Listeners = WholeConfig['listeners'];

const routesTo = Object.entries(hosts).map(([pool, host]) => ({ hosts: [host], pool }));

const listening = (routes: readonly object[]): Listeners[string] =>
  ({
    listen: '127.0.0.1:0',
    mode: 'http',
    routes: [...routesTo, ...routes],
    timeouts: { requestHead: '1s', clientIdle: '2s', body: '3s', tunnelIdle: '1m' },
  }) as Listeners[string];

const keepAlive = { idleTimeout: '500ms' };

export function baseConfig(engine: Engine, { good, bulk, rough }: Backends): WholeConfig {
  return {
    workers: 2,
    engine,
    listeners: { in: listening([]) },
    pools: {
      good: { backends: [...good], keepAlive, drainTimeout: '1m' },
      bulk: { backends: [...bulk], keepAlive, drainTimeout: '1m' },
      rough: {
        backends: [...rough],
        keepAlive,
        drainTimeout: '0s',
        connectTimeout: '500ms',
        timeouts: { responseHead: '700ms', body: '2s' },
      },
    },
  };
}

// One step away from the base: members left out or of another weight, routes and listeners added.
export function editedConfig(engine: Engine, backends: Backends, random: Random): WholeConfig {
  const base = baseConfig(engine, backends);
  const some = (addresses: readonly string[], least: number) => {
    const out = random.below(addresses.length);
    const left = addresses.filter((_, index) => index !== out || addresses.length <= least);
    return left.map((address) => ({ address, weight: random.between(1, 5) }));
  };
  const strategy = random.of(['round_robin', 'least_connections', 'p2c'] as const);
  const { good, bulk, rough } = base.pools;
  const added = Array.from({ length: random.below(20) }, (_, nth) => ({
    hosts: [`h${nth}.example`, hosts.rough],
    pathPrefix: `/added/${random.below(1000)}/${nth}`,
    pool: random.of(['good', 'rough'] as const),
  }));
  const extra = random.oneIn(3) ? { extra: listening([]) } : {};
  return {
    ...base,
    listeners: { in: listening(added), ...extra },
    pools: {
      good: { ...good, backends: some(backends.good, 2), strategy },
      bulk: { ...bulk, backends: random.oneIn(2) ? some(backends.bulk, 2) : [...backends.bulk] },
      rough: { ...rough, backends: some(backends.rough, 2), strategy },
    },
  };
}
