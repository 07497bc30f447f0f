// What callers of the programming interface pass, made into what the model knows.
import { parseBackendAddress } from '../config/address.ts';
import { backendOf, parseConfig } from '../config/load.ts';
import { type Lookup, resolveDesired, systemLookup } from '../config/resolve.ts';
import { type BackendConfig, backendSchema, type Config } from '../config/schema.ts';
import { durationExpected, durationMaxMs, parseDuration } from '../config/units.ts';
import { SluiceError } from '../errors.ts';
import type { Backend, Desired } from '../model/types.ts';
import { nothing } from './provider.ts';

export type { BackendConfig, Config, ListenerConfig, PoolConfig } from '../config/schema.ts';

// Text like '30s', or milliseconds.
export type Duration = string | number;

const refused = (argument: string, value: unknown, expected: string): SluiceError =>
  new SluiceError('ERR_SLUICE_ARGUMENT', { argument, value: JSON.stringify(value), expected });

export function timeoutFrom(value: Duration): number {
  const ms = typeof value === 'string' ? parseDuration(value) : value;
  if (ms !== undefined && ms >= 0 && ms <= durationMaxMs) return ms;
  throw refused('timeout', value, `${durationExpected}, or milliseconds`);
}

// The name a backend goes by. Throws ERR_SLUICE_ARGUMENT.
export function backendIdFrom(text: string): string {
  const address = typeof text === 'string' ? parseBackendAddress(text) : undefined;
  if (address === undefined) throw refused('backend', text, "an address like '127.0.0.1:9001'");
  return address.text;
}

export function weightFrom(value: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  throw refused('weight', value, 'a whole number from 0 to 65535');
}

// Throws ERR_SLUICE_ARGUMENT, or ERR_SLUICE_CONFIG when a name has no address.
export async function backendFrom(
  pool: string,
  input: BackendConfig,
  lookup: Lookup = systemLookup,
): Promise<Backend> {
  const checked = backendSchema.safeParse(input);
  if (!checked.success) {
    const expected = checked.error.issues[0]?.message.replace(/^expected /, '') ?? 'a backend';
    throw refused('backend', input, expected);
  }
  const stated = backendOf(checked.data);
  const adding = {
    settings: undefined,
    backends: new Map([[stated.id, stated]]),
    without: new Set<string>(),
    weights: new Map<string, number>(),
  };
  const desired = await resolveDesired(
    { ...nothing('api'), pools: new Map([[pool, adding]]) },
    lookup,
  );
  const backend = desired.pools.get(pool)?.backends.get(stated.id);
  if (backend === undefined) throw new TypeError('a resolved backend is missing');
  return backend;
}

// Throws ERR_SLUICE_CONFIG.
export const desiredFrom = (
  config: Config,
  source: string,
  lookup: Lookup = systemLookup,
): Promise<Desired<Backend>> => resolveDesired(parseConfig(config, source), lookup);
