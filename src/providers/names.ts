// The host names of backends, looked up again for as long as they are in use. What a name stood for
// last stays when it cannot be looked up: a name server that fails takes no backend out.
import { Resolver, lookup as systemAddresses } from 'node:dns/promises';
import { type Lookup, nameOf } from '../config/resolve.ts';
import { reasonOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { DnsSettings, Pool } from '../model/types.ts';

export type { Lookup } from '../config/resolve.ts';

export interface Answer {
  // At least one; IPv4 first.
  readonly addresses: readonly string[];
  // undefined: the name is not from the DNS.
  readonly ttlMs: number | undefined;
}
export type Ask = (host: string, dns: DnsSettings) => Promise<Answer>;

const refreshMinMs = 1000;
const queryTimeoutMs = 2000;
const queryTries = 2;
// How much longer than for the address itself it is waited for its TTL.
const ttlWaitMs = 200;

interface DnsRecord {
  readonly address: string;
  readonly ttl: number;
}

// A and AAAA records. Throws when there are none of either.
async function recordsOf(host: string, servers: readonly string[]): Promise<DnsRecord[]> {
  const resolver = new Resolver({ timeout: queryTimeoutMs, tries: queryTries });
  if (servers.length > 0) resolver.setServers(servers);
  const answers = await Promise.allSettled([
    resolver.resolve4(host, { ttl: true }),
    resolver.resolve6(host, { ttl: true }),
  ]);
  const records = answers.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
  const [failed] = answers.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
  if (records.length === 0) throw failed ?? new Error(`${host} has no address`);
  return records;
}

const ttlOf = (records: readonly DnsRecord[]): number | undefined =>
  records.length === 0 ? undefined : 1000 * Math.min(...records.map(({ ttl }) => ttl));

// By the stated servers alone; otherwise as the system does it, hosts files and search domains
// included, and with the TTL where the DNS says the same.
export const askDns: Ask = async (host, { servers }) => {
  if (servers.length > 0) {
    const records = await recordsOf(host, servers);
    return { addresses: records.map(({ address }) => address), ttlMs: ttlOf(records) };
  }
  const records = recordsOf(host, []).catch((): DnsRecord[] => []);
  const found = await systemAddresses(host, { all: true, verbatim: false });
  const addresses = found.map(({ address }) => address);
  const late = new Promise<DnsRecord[]>((resolve) => {
    setTimeout(() => resolve([]), ttlWaitMs).unref();
  });
  const known = await Promise.race([records, late]);
  return { addresses, ttlMs: ttlOf(known.filter(({ address }) => addresses.includes(address))) };
};

interface Known {
  address: string;
  // In how long to look it up again.
  dueMs: number;
  timer: NodeJS.Timeout | undefined;
  failing: boolean;
}

export interface Following {
  readonly log: Logger;
  // Called when a name stands for another address.
  readonly moved: () => void;
}

export class Names {
  // Counts changes of what `addressOf` answers.
  version = 0;
  readonly #ask: Ask;
  readonly #known = new Map<string, Known>();
  #dns: DnsSettings = { servers: [], refreshMs: 30_000 };
  #following: Following | undefined;

  constructor(ask: Ask = askDns) {
    this.#ask = ask;
  }

  // The address that is in use when the name still stands for it, else its first one; the last good
  // one when the name cannot be looked up. Throws when there never was any.
  readonly lookup: Lookup = async (host, dns = this.#dns) => {
    try {
      return this.#learn(host, await this.#ask(host, dns), dns);
    } catch (error) {
      const known = this.#known.get(host);
      if (known === undefined) throw error;
      this.#warn(host, known, error);
      return known.address;
    }
  };

  // Where a name stands now; undefined when nobody has looked it up.
  addressOf(host: string): string | undefined {
    return this.#known.get(host)?.address;
  }

  // From now on names are looked up again, until `close`.
  follow(following: Following): void {
    this.#following = following;
  }

  // These names are in use, and no others.
  keep(hosts: ReadonlyMap<string, string>, dns: DnsSettings): void {
    if (this.#following === undefined) return;
    const changed = JSON.stringify(dns) !== JSON.stringify(this.#dns);
    this.#dns = dns;
    for (const [host, known] of this.#known) {
      if (hosts.has(host) && !changed) continue;
      clearTimeout(known.timer);
      known.timer = undefined;
      if (!hosts.has(host)) this.#known.delete(host);
    }
    for (const [host, address] of hosts) {
      let known = this.#known.get(host);
      if (known === undefined) {
        known = { address, dueMs: dns.refreshMs, timer: undefined, failing: false };
        this.#known.set(host, known);
        this.version++;
      }
      if (known.timer === undefined) this.#schedule(host, known);
    }
  }

  close(): void {
    this.#following = undefined;
    for (const { timer } of this.#known.values()) clearTimeout(timer);
    this.#known.clear();
  }

  #learn(host: string, { addresses, ttlMs }: Answer, dns: DnsSettings): string {
    const [first] = addresses;
    if (first === undefined) throw new Error(`${host} has no address`);
    const known = this.#known.get(host);
    const dueMs = Math.max(refreshMinMs, Math.min(ttlMs ?? dns.refreshMs, dns.refreshMs));
    if (known === undefined) {
      this.#known.set(host, { address: first, dueMs, timer: undefined, failing: false });
      this.version++;
      return first;
    }
    if (known.failing) this.#following?.log.info('a host name is resolved again', { host });
    known.failing = false;
    known.dueMs = dueMs;
    if (!addresses.includes(known.address)) {
      known.address = first;
      this.version++;
    }
    return known.address;
  }

  #warn(host: string, known: Known, error: unknown): void {
    if (known.failing) return;
    known.failing = true;
    const { address } = known;
    const fields = { host, address, reason: reasonOf(error) };
    this.#following?.log.warn('a host name cannot be resolved, its last address stays', fields);
  }

  #schedule(host: string, known: Known): void {
    clearTimeout(known.timer);
    known.timer = setTimeout(() => void this.#refresh(host, known), known.dueMs).unref();
  }

  async #refresh(host: string, known: Known): Promise<void> {
    const before = known.address;
    try {
      const answer = await this.#ask(host, this.#dns);
      if (this.#known.get(host) !== known) return;
      this.#learn(host, answer, this.#dns);
    } catch (error) {
      known.dueMs = Math.min(known.dueMs * 2, this.#dns.refreshMs);
      this.#warn(host, known, error);
    }
    if (this.#following === undefined || this.#known.get(host) !== known) return;
    if (known.address !== before) this.#following.moved();
    this.#schedule(host, known);
  }
}

type Backends = Pool['backends'];
type Named = readonly (readonly [host: string, address: string])[];

// Of maps that stay the same from one model to the next.
const namedIn = new WeakMap<Backends, Named>();

function namedOf(backends: Backends): Named {
  const known = namedIn.get(backends);
  if (known !== undefined) return known;
  const named: [string, string][] = [];
  for (const { id, address } of backends.values()) {
    // Most backends are stated by their address: there is nothing to take apart then.
    if (address.kind !== 'ip' || id === address.text) continue;
    const stated = nameOf(id);
    // `[::1]:80` without port and brackets.
    const literal = address.text.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
    if (stated !== undefined) named.push([stated.host, literal]);
  }
  namedIn.set(backends, named);
  return named;
}

// The names that backends were stated by, each with an address in use.
export function hostsOf(pools: Iterable<Pool>): Map<string, string> {
  const hosts = new Map<string, string>();
  for (const { backends } of pools) {
    for (const [host, address] of namedOf(backends)) hosts.set(host, address);
  }
  return hosts;
}
