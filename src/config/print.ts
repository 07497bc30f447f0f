// A model in the language of configuration files: what is in force, whoever stated it. Values that
// are the default are left out.
import type { HttpOptions, Listener, Model, Pool, PoolSettings, Route } from '../model/types.ts';
import { defaults } from './defaults.ts';
import { durationText, sizeText } from './units.ts';

type Plain = Record<string, unknown>;

// Without keys whose value is undefined; undefined when nothing is left.
function some(object: Plain): Plain | undefined {
  const kept = Object.entries(object).filter(([, value]) => value !== undefined);
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

const unless = <T>(value: T, usual: T): T | undefined => (value === usual ? undefined : value);
const time = (ms: number, usual: number): string | undefined =>
  ms === usual ? undefined : durationText(ms);
const size = (bytes: number, usual: number): string | undefined =>
  bytes === usual ? undefined : sizeText(bytes);

const routeOf = ({ host, pathPrefix, pool }: Route): Plain => ({
  ...(host === '' ? {} : { hosts: [host] }),
  ...(pathPrefix === '' ? {} : { pathPrefix }),
  pool,
});

function httpOf(http: HttpOptions): Plain {
  const usual = defaults.http;
  return {
    timeouts: some({
      requestHead: time(http.requestHeadTimeoutMs, usual.requestHeadTimeoutMs),
      clientIdle: time(http.clientIdleTimeoutMs, usual.clientIdleTimeoutMs),
      body: time(http.bodyTimeoutMs, usual.bodyTimeoutMs),
      tunnelIdle: time(http.tunnelIdleTimeoutMs, usual.tunnelIdleTimeoutMs),
    }),
    limits: some({
      headBytes: size(http.headBytesMax, usual.headBytesMax),
      headerCount: unless(http.fieldsMax, usual.fieldsMax),
      targetBytes: size(http.targetBytesMax, usual.targetBytesMax),
      bodyBytes: size(http.bodyBytesMax, usual.bodyBytesMax),
    }),
    trustedProxies:
      http.trustedProxies.length > 0 ? http.trustedProxies.map(({ text }) => text) : undefined,
    via: unless(http.via, usual.via),
    serverClose: unless(http.serverClose, usual.serverClose),
  };
}

function listenerOf(listener: Listener): Plain {
  const { target, targetText, mode, routes, maxConnections, idleTimeoutMs, http } = listener;
  const listen =
    target.kind === 'descriptors' ? { descriptors: [...target.descriptors] } : targetText;
  const common = {
    listen,
    mode,
    routes: routes.map(routeOf),
    maxConnections: unless(maxConnections, 0),
  };
  const more =
    mode === 'http' ? httpOf(http) : { idleTimeout: time(idleTimeoutMs, defaults.idleTimeoutMs) };
  return some({ ...common, ...more }) ?? {};
}

function settingsOf(settings: PoolSettings): Plain {
  const { strategy, connectTimeoutMs, drainTimeoutMs, http } = settings;
  const usual = defaults.poolHttp;
  return {
    strategy: unless(strategy, 'round_robin'),
    connectTimeout: time(connectTimeoutMs, defaults.connectTimeoutMs),
    drainTimeout: time(drainTimeoutMs, defaults.drainTimeoutMs),
    keepAlive: some({
      idleTimeout: time(http.keepAliveIdleMs, usual.keepAliveIdleMs),
      maxRequests: unless(http.keepAliveRequestsMax, usual.keepAliveRequestsMax),
      maxIdle: unless(http.idleMax, usual.idleMax),
    }),
    timeouts: some({
      responseHead: time(http.responseHeadTimeoutMs, usual.responseHeadTimeoutMs),
      body: time(http.bodyTimeoutMs, usual.bodyTimeoutMs),
    }),
  };
}

function poolOf({ settings, backends }: Pool): Plain {
  const all = [...backends.values()].map(({ id, weight }) =>
    weight === 1 ? id : { address: id, weight },
  );
  return some({ ...settingsOf(settings), backends: all }) ?? {};
}

const each = <T>(map: ReadonlyMap<string, T>, print: (one: T) => Plain): Plain =>
  Object.fromEntries([...map].map(([name, one]) => [name, print(one)]));

export function printModel({ settings, listeners, pools }: Model): Plain {
  const { workers, engine, maxConnections, logLevel, adminListen, stateFile } = settings;
  const stated = some({
    workers,
    engine: unless(engine, 'auto'),
    maxConnections,
    logLevel: unless(logLevel, 'info'),
    admin: adminListen === undefined ? undefined : { listen: adminListen.text },
    stateFile,
  });
  return { ...stated, listeners: each(listeners, listenerOf), pools: each(pools, poolOf) };
}
