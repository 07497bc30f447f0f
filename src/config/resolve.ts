// Host names become addresses here, when a configuration is applied; `providers/names.ts` looks
// them up again. A backend has one address: where a name stands for several, the one it has as long
// as the name still stands for it, else the first, IPv4 before IPv6. One that moves is a new
// backend, and the old one is drained.
import { lookup } from 'node:dns/promises';
import { configError, type Issue, reasonOf, SluiceError } from '../errors.ts';
import type {
  Address,
  Backend,
  Desired,
  DesiredPool,
  DnsSettings,
  Listener,
  StatedAddress,
  StatedBackend,
} from '../model/types.ts';
import { ipAddress, parseBackendAddress, targetText } from './address.ts';

// The address to use of a host. `dns`: what the configuration that names the host says.
export type Lookup = (host: string, dns?: DnsSettings) => Promise<string>;

export const systemLookup: Lookup = async (host) =>
  (await lookup(host, { verbatim: false })).address;

// Looks every name up once, all at the same time. `failed` collects what cannot be resolved.
class Names {
  readonly #lookup: Lookup;
  readonly #dns: DnsSettings | undefined;
  readonly #known = new Map<string, Promise<string | SluiceError>>();
  readonly failed: Issue[] = [];

  constructor(lookupName: Lookup, dns: DnsSettings | undefined) {
    this.#lookup = lookupName;
    this.#dns = dns;
  }

  async resolve(address: StatedAddress, path: string): Promise<Address | undefined> {
    if (address.kind !== 'name') return address;
    const { host, port } = address;
    let answer = this.#known.get(host);
    if (answer === undefined) {
      answer = this.#lookup(host, this.#dns).catch(
        (cause: unknown) =>
          new SluiceError('ERR_SLUICE_RESOLVE', { host, path, reason: reasonOf(cause) }, { cause }),
      );
      this.#known.set(host, answer);
    }
    const found = await answer;
    const resolved = found instanceof SluiceError ? undefined : ipAddress(found, port);
    if (resolved === undefined) {
      const reason = found instanceof SluiceError ? reasonOf(found.cause) : found;
      this.failed.push({
        path,
        value: address.text,
        expected: `a name that can be resolved (${reason})`,
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
  for (const [index, [id, backend]] of [...pool.backends].entries()) {
    const stated = backend.address;
    const address =
      stated.kind === 'name' ? await names.resolve(stated, `${path}.backends[${index}]`) : stated;
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

export interface Resolved {
  // Without what has no address.
  readonly desired: Desired<Backend>;
  readonly issues: readonly Issue[];
}

export async function resolveNames(
  desired: Desired,
  lookupName: Lookup = systemLookup,
): Promise<Resolved> {
  const names = new Names(lookupName, desired.settings?.dns);
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
  const resolved = { ...desired, listeners: new Map(listeners), pools: new Map(pools) };
  return { desired: resolved, issues: names.failed };
}

// Throws ERR_SLUICE_CONFIG with every name that has no address.
export async function resolveDesired(
  desired: Desired,
  lookupName: Lookup = systemLookup,
): Promise<Desired<Backend>> {
  const { desired: resolved, issues } = await resolveNames(desired, lookupName);
  if (issues.length > 0) throw configError(issues);
  return resolved;
}

// The name a backend was stated by, with its port; undefined when it was stated by an address.
export function nameOf(id: string): { readonly host: string; readonly port: number } | undefined {
  const stated = parseBackendAddress(id);
  return stated?.kind === 'name' ? stated : undefined;
}

// The same statement with each backend of a name at the address that `addressOf` gives for it;
// undefined leaves it where it is. The same object when nothing moves.
export function readdressed(
  pool: DesiredPool<Backend>,
  addressOf: (host: string) => string | undefined,
): DesiredPool<Backend> {
  const moved = new Map<string, Backend>();
  for (const [id, backend] of pool.backends) {
    // Most backends are stated by their address: there is nothing to take apart then.
    const stated = id === backend.address.text ? undefined : nameOf(id);
    const text = stated === undefined ? undefined : addressOf(stated.host);
    const address = text === undefined ? undefined : ipAddress(text, stated?.port ?? 0);
    if (address === undefined || address.text === backend.address.text) continue;
    moved.set(id, withAddress(backend, address));
  }
  // A key that is there keeps its place.
  return moved.size === 0 ? pool : { ...pool, backends: new Map([...pool.backends, ...moved]) };
}
