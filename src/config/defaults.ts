// What holds where a configuration is silent.
import type { DnsSettings, HttpOptions, PoolHttpOptions } from '../model/types.ts';
import { parseDuration } from './units.ts';

export const defaults = {
  connectTimeoutMs: 5_000,
  idleTimeoutMs: 600_000,
  drainTimeoutMs: 30_000,
  // Further backends tried after a failed connect.
  connectRetries: 2,
  dns: { servers: [], refreshMs: 30_000 } satisfies DnsSettings,
  http: {
    requestHeadTimeoutMs: 10_000,
    clientIdleTimeoutMs: 60_000,
    bodyTimeoutMs: 60_000,
    tunnelIdleTimeoutMs: 3_600_000,
    headBytesMax: 16_384,
    targetBytesMax: 8192,
    fieldsMax: 128,
    bodyBytesMax: 0,
    via: false,
    serverClose: false,
    trustedProxies: [],
  } satisfies HttpOptions,
  poolHttp: {
    responseHeadTimeoutMs: 60_000,
    bodyTimeoutMs: 60_000,
    keepAliveIdleMs: 4000,
    keepAliveRequestsMax: 0,
    idleMax: 256,
  } satisfies PoolHttpOptions,
} as const;

// Milliseconds of a text that the schema has accepted.
export const duration = (text: string | undefined, otherwise: number): number =>
  text === undefined ? otherwise : (parseDuration(text) ?? otherwise);

// The schema has accepted the text, so parsing succeeds.
export function accepted<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError('the schema accepted what cannot be parsed');
  return value;
}
