// What is wrong, worst first, each with its reason: the first thing that somebody who opens the
// page wants to know. Pure.
import type {
  BackendAnswer,
  ConfigAnswer,
  ContainersAnswer,
  HealthAnswer,
  PoolAnswer,
} from '../admin/api-types.ts';
import { count, percent, perSecond, words } from './format.ts';
import type { Rates } from './rates.ts';
import type { View } from './view-names.ts';

export type Severity = 'bad' | 'warning';

export interface Concern {
  readonly severity: Severity;
  readonly what: string;
  readonly reason: string;
  // Where to look.
  readonly view: View;
}

export interface Known {
  readonly health: HealthAnswer | undefined;
  readonly pools: readonly PoolAnswer[];
  readonly containers: ContainersAnswer | undefined;
  readonly config: ConfigAnswer | undefined;
  readonly rates: Rates;
  // Of all requests, lately.
  readonly serverErrors: number | null;
}

// From this share on, errors are a concern, and a bad one.
const errorShare = { warning: 0.01, bad: 0.05 };

const isDown = ({ health }: BackendAnswer): boolean =>
  health === 'unhealthy' || health === 'ejected';
// Whether new work may come to it.
export const isUsable = (backend: BackendAnswer): boolean =>
  backend.state === 'up' && !backend.removing && !isDown(backend) && backend.weight > 0;

export function reasonOfBackend({ lastCheck, health }: BackendAnswer): string {
  if (lastCheck !== undefined && !lastCheck.ok && lastCheck.reason !== '') return lastCheck.reason;
  if (health === 'ejected') return 'too many of its answers failed';
  return health === 'unhealthy' ? 'its checks fail' : '';
}

function ofBalancer({ health }: Known): Concern[] {
  if (health === undefined || health.status === 'healthy') return [];
  const severity = health.status === 'draining' ? 'warning' : 'bad';
  const what = health.status === 'draining' ? 'The balancer drains' : 'The balancer is unhealthy';
  return [{ severity, what, reason: health.reasons.join('; '), view: 'overview' }];
}

function ofErrors({ serverErrors }: Known): Concern[] {
  if (serverErrors === null || serverErrors < errorShare.warning) return [];
  const severity = serverErrors < errorShare.bad ? 'warning' : 'bad';
  const what = `${percent(serverErrors)} of requests end with 5xx`;
  return [{ severity, what, reason: 'over the last 10 seconds', view: 'pools' }];
}

function ofPool(pool: PoolAnswer, rates: Rates): Concern[] {
  const { name, backends } = pool;
  const found: Concern[] = [];
  const usable = backends.filter(isUsable).length;
  if (usable === 0) {
    const reason =
      backends.length === 0
        ? 'it has no backends'
        : backends.length === 1
          ? 'its only backend takes no new work'
          : `none of its ${count(backends.length)} backends takes new work`;
    const what = `Pool ${name} cannot serve`;
    found.push({ severity: 'bad', what, reason, view: 'pools' });
  }
  for (const backend of backends.filter(isDown)) {
    const what = `Backend ${backend.label ?? backend.id} of ${name} is ${backend.health}`;
    found.push({ severity: 'warning', what, reason: reasonOfBackend(backend), view: 'pools' });
  }
  const failing = Object.keys(pool.errors)
    .map((reason) => ({ reason, rate: rates.of(`pool ${name} error ${reason}`) ?? 0 }))
    .filter(({ rate }) => rate > 0)
    .sort((a, b) => b.rate - a.rate)
    .map(({ reason, rate }) => `${words(reason)} ${perSecond(rate)}`);
  if (failing.length > 0) {
    const what = `Failures at pool ${name}`;
    found.push({ severity: 'warning', what, reason: failing.join(', '), view: 'pools' });
  }
  return found;
}

function ofContainers({ containers }: Known): Concern[] {
  const provider = containers?.provider;
  const away: Concern[] =
    provider === undefined || provider.connected
      ? []
      : [
          {
            severity: 'bad',
            what: `No connection to the container engine at ${provider.endpoint}`,
            reason: provider.error ?? '',
            view: 'containers',
          },
        ];
  const skipped = (containers?.containers ?? [])
    .filter(({ state }) => state === 'skipped')
    .map(
      ({ name, reason = '' }): Concern => ({
        severity: 'warning',
        what: `Container ${name} is skipped`,
        reason,
        view: 'containers',
      }),
    );
  return [...away, ...skipped];
}

const ofConfig = ({ config }: Known): Concern[] =>
  (config?.flags ?? []).map(({ source, origin, what, reason }) => ({
    severity: 'warning',
    what: `Not in force: ${what} (${[source, origin].filter(Boolean).join(', ')})`,
    reason,
    view: source === 'docker' ? 'containers' : 'overview',
  }));

export function concernsOf(known: Known): Concern[] {
  const found = [
    ...ofBalancer(known),
    ...ofErrors(known),
    ...known.pools.flatMap((pool) => ofPool(pool, known.rates)),
    ...ofContainers(known),
    ...ofConfig(known),
  ];
  return [
    ...found.filter(({ severity }) => severity === 'bad'),
    ...found.filter(({ severity }) => severity === 'warning'),
  ];
}

// `3 of 4 backends up`.
export function backendsUp(pools: readonly PoolAnswer[]): {
  up: number;
  all: number;
  text: string;
} {
  const all = pools.flatMap(({ backends }) => backends);
  const up = all.filter(isUsable).length;
  return { up, all: all.length, text: `${count(up)} / ${count(all.length)}` };
}
