// A listener as the model has it, from what the schema has accepted.
import type { Issue } from '../errors.ts';
import type { HttpOptions, Listener, Route } from '../model/types.ts';
import { parseListenTarget, targetText } from './address.ts';
import { accepted, defaults, duration } from './defaults.ts';
import { pathText } from './paths.ts';
import { parseRange } from './range.ts';
import { type Parsed, parseHost, parsePathPrefix } from './route.ts';
import type { HttpListenerConfig, ListenerConfig } from './schema-listener.ts';
import { parseSize } from './units.ts';

const taken = (parsed: Parsed): string => accepted('value' in parsed ? parsed.value : undefined);
const size = (text: string | undefined, otherwise: number): number =>
  text === undefined ? otherwise : accepted(parseSize(text));

// One route for each host that is stated.
function routesOf(name: string, config: HttpListenerConfig, issues: Issue[]): Route[] {
  const first = new Map<string, string>();
  return config.routes.flatMap(({ hosts, pathPrefix, pool }, stated) => {
    const prefix = pathPrefix === undefined ? '' : taken(parsePathPrefix(pathPrefix));
    const names = hosts?.map((host) => taken(parseHost(host))) ?? [''];
    return names.map((host, statedHost) => {
      const at = ['listeners', name, 'routes', stated];
      const path = pathText(hosts === undefined ? at : [...at, 'hosts', statedHost]);
      const key = `${host} ${prefix}`;
      const other = first.get(key);
      if (other === undefined) first.set(key, path);
      else {
        const what = `${host === '' ? 'every host' : `host '${host}'`} and path '${prefix || '/'}'`;
        issues.push({
          path,
          value: hosts?.[statedHost] ?? pathPrefix,
          expected: 'each host and path prefix once',
          message: `${other} is for ${what} already`,
        });
      }
      return { host, pathPrefix: prefix, pool, stated, statedHost };
    });
  });
}

function httpOf(config: HttpListenerConfig): HttpOptions {
  const { timeouts, limits, trustedProxies = [] } = config;
  const { http } = defaults;
  return {
    requestHeadTimeoutMs: duration(timeouts?.requestHead, http.requestHeadTimeoutMs),
    clientIdleTimeoutMs: duration(timeouts?.clientIdle, http.clientIdleTimeoutMs),
    bodyTimeoutMs: duration(timeouts?.body, http.bodyTimeoutMs),
    tunnelIdleTimeoutMs: duration(timeouts?.tunnelIdle, http.tunnelIdleTimeoutMs),
    headBytesMax: size(limits?.headBytes, http.headBytesMax),
    targetBytesMax: size(limits?.targetBytes, http.targetBytesMax),
    fieldsMax: limits?.headerCount ?? http.fieldsMax,
    bodyBytesMax: size(limits?.bodyBytes, http.bodyBytesMax),
    via: config.via ?? http.via,
    serverClose: config.serverClose ?? http.serverClose,
    trustedProxies: trustedProxies.map((text) => accepted(parseRange(text))),
  };
}

// `issues` takes what the schema cannot see.
export function listenerOf(name: string, config: ListenerConfig, issues: Issue[]): Listener {
  const target =
    typeof config.listen === 'string'
      ? accepted(parseListenTarget(config.listen))
      : { kind: 'descriptors' as const, descriptors: config.listen.descriptors };
  const common = {
    name,
    target,
    targetText: targetText(target),
    maxConnections: config.maxConnections ?? 0,
  };
  if (config.mode === 'http') {
    const http = httpOf(config);
    const routes = routesOf(name, config, issues);
    return { ...common, mode: 'http', routes, idleTimeoutMs: http.tunnelIdleTimeoutMs, http };
  }
  return {
    ...common,
    mode: 'tcp',
    routes: config.routes.map(({ pool }, stated) => ({
      host: '',
      pathPrefix: '',
      pool,
      stated,
      statedHost: 0,
    })),
    idleTimeoutMs: duration(config.idleTimeout, defaults.idleTimeoutMs),
    http: defaults.http,
  };
}
