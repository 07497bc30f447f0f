// All providers' statements, merged, become the model: everything is checked that no provider can
// check alone. Throws ERR_SLUICE_CONFIG with every issue.
import { configError, type Issue } from '../errors.ts';
import { limits } from './limits.ts';
import type { Listener, Model } from './types.ts';

function routeIssues(model: Model): Issue[] {
  const known = [...model.pools.keys()].map((name) => `'${name}'`).join(', ');
  return [...model.listeners.values()].flatMap(({ name, routes }) =>
    routes.flatMap(({ pool, stated, statedHost }) => {
      // Once for all hosts of what was stated.
      if (statedHost > 0 || model.pools.has(pool)) return [];
      const expected = known === '' ? 'a pool, and there is none' : `one of the pools ${known}`;
      const path = `listeners.${name}.routes[${stated}].pool`;
      return [{ path, value: pool, expected, message: `there is no pool '${pool}'` }];
    }),
  );
}

const takesFreePort = ({ target }: Listener): boolean =>
  target.kind === 'address' && target.address.kind !== 'unix' && target.address.port === 0;

function listenIssues(model: Model): Issue[] {
  const first = new Map<string, string>();
  const issues: Issue[] = [];
  for (const listener of model.listeners.values()) {
    const { name, target, targetText } = listener;
    const keys =
      target.kind === 'descriptors' ? target.descriptors.map((fd) => `fd:${fd}`) : [targetText];
    for (const key of takesFreePort(listener) ? [] : keys) {
      const other = first.get(key);
      if (other === undefined) {
        first.set(key, name);
        continue;
      }
      issues.push({
        path: `listeners.${name}.listen`,
        value: key,
        expected: 'an address of its own',
        message: `listener '${other}' has ${key} already`,
      });
    }
  }
  return issues;
}

function limitIssues(model: Model): Issue[] {
  const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);
  const listeners = [...model.listeners.values()];
  const pools = [...model.pools.values()];
  const routes = listeners.flatMap((listener) => listener.routes);
  const text = sum(routes.map(({ host, pathPrefix }) => host.length + pathPrefix.length));
  const ranges = sum(listeners.map(({ http }) => http.trustedProxies.length));
  const counts = [
    ['listeners', listeners.length, limits.listenersMax, 'listeners'],
    ['listeners', routes.length, limits.routesMax, 'routes'],
    ['listeners', text, limits.routeBytesMax, 'bytes of hosts and path prefixes'],
    ['listeners', ranges, limits.trustedMax, 'trusted proxies'],
    ['pools', pools.length, limits.poolsMax, 'pools'],
    ['pools', sum(pools.map(({ backends }) => backends.size)), limits.backendsMax, 'backends'],
  ] as const;
  return counts.flatMap(([path, value, max, what]) =>
    value <= max
      ? []
      : [{ path, value, expected: `at most ${max} ${what}`, message: `${value} ${what}` }],
  );
}

export const issuesOf = (merged: Model): Issue[] => [
  ...routeIssues(merged),
  ...listenIssues(merged),
  ...limitIssues(merged),
];

export function build(merged: Model): Model {
  const issues = issuesOf(merged);
  if (issues.length > 0) throw configError(issues);
  return merged;
}
