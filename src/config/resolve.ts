// Host names become addresses here, once, when a configuration is applied. IPv4 is preferred where
// a name has both; the first answer is taken. A name that is looked up again later (at the next
// `apply`) and has moved makes a new backend, and the old one is drained.
import { lookup } from 'node:dns/promises';
import { configError, type Issue, reasonOf, SluiceError } from '../errors.ts';
import type {
  Address,
  Backend,
  Desired,
  DesiredPool,
  Listener,
  StatedAddress,
  StatedBackend,
} from '../model/types.ts';
import { ipAddress, targetText } from './address.ts';

export type Lookup = (host: string) => Promise<string>;

export const systemLookup: Lookup = async (host) =>
  (await lookup(host, { verbatim: false })).address;

// Looks every name up once, all at the same time. `failed` collects what cannot be resolved.
class Names {
  readonly #lookup: Lookup;
  readonly #known = new Map<string, Promise<string | SluiceError>>();
  readonly failed: Issue[] = [];

  constructor(lookupName: Lookup) {
    this.#lookup = lookupName;
  }

  async resolve(address: StatedAddress, path: string): Promise<Address | undefined> {
    if (address.kind !== 'name') return address;
    const { host, port } = address;
    let answer = this.#known.get(host);
    if (answer === undefined) {
      answer = this.#lookup(host).catch(
        (cause: unknown) =>
          new SluiceError('ERR_SLUICE_RESOLVE', { host, path, reason: reasonOf(cause) }, { cause }),
      );
      this.#known.set(host, answer);
    }
    const found = await answer;
    const resolved = found instanceof SluiceError ? undefined : ipAddress(found, port);
    if (resolved === undefined) {
      this.failed.push({
        path,
        value: address.text,
        expected: 'a name that can be resolved',
        message: found instanceof SluiceError ? found.message : `${host} resolved to ${found}`,
      });
    }
    return resolved;
  }
}

export const keyOf = (id: string, address: Address): string =>
  id === address.text ? id : `${id} ${address.text}`;

export function withAddress(backend: StatedBackend, address: Address): Backend {
  return { ...backend, address, key: keyOf(backend.id, address) };
}

async function resolvePool(
  names: Names,
  path: string,
  pool: DesiredPool,
): Promise<DesiredPool<Backend>> {
  const backends = new Map<string, Backend>();
  for (const [id, backend] of pool.backends) {
    const stated = backend.address;
    const address =
      stated.kind === 'name' ? await names.resolve(stated, `${path}.backends.${id}`) : stated;
    if (address !== undefined) backends.set(id, withAddress(backend, address));
  }
  return { ...pool, backends };
}

async function resolveListener(names: Names, path: string, listener: Listener): Promise<Listener> {
  const { target } = listener;
  if (target.kind === 'descriptors') return listener;
  const address = await names.resolve(target.address, `${path}.listen`);
  if (address === undefined) return listener;
  const resolved = { ...target, address };
  return { ...listener, target: resolved, targetText: targetText(resolved) };
}

// Throws ERR_SLUICE_CONFIG with every name that has no address.
export async function resolveDesired(
  desired: Desired,
  lookupName: Lookup = systemLookup,
): Promise<Desired<Backend>> {
  const names = new Names(lookupName);
  const pools = await Promise.all(
    [...desired.pools].map(
      async ([name, pool]) => [name, await resolvePool(names, `pools.${name}`, pool)] as const,
    ),
  );
  const listeners = await Promise.all(
    [...desired.listeners].map(
      async ([name, listener]) =>
        [name, await resolveListener(names, `listeners.${name}`, listener)] as const,
    ),
  );
  if (names.failed.length > 0) {
    throw configError(names.failed);
  }
  return { ...desired, listeners: new Map(listeners), pools: new Map(pools) };
}
