// Routes that providers attach to listeners: to one by its name, or to the one that listens at an
// address, which is opened when nobody defines it. Pure. What cannot be is flagged and left out, so
// that the mistake of one container is nobody else's trouble.
import type { Backend, Desired, Flag, Listener, Pool, Route } from '../model/types.ts';
import type { Merged } from './merge.ts';

export interface Attaching {
  readonly states: readonly Desired<Backend>[];
  readonly defined: ReadonlyMap<string, Listener>;
  readonly pools: ReadonlyMap<string, Pool>;
  readonly before: Merged;
  readonly refused: ReadonlyMap<string, string>;
}

export interface Attached {
  readonly listeners: ReadonlyMap<string, Listener>;
  readonly owners: ReadonlyMap<string, string>;
  readonly flags: readonly Flag[];
  readonly opened: ReadonlySet<string>;
}

interface Wish {
  readonly source: string;
  readonly layer: Desired['layer'];
  readonly origin: string;
  readonly route: Route;
}

const wishOwner = ({ source, origin }: Wish): string => `${source} ${origin}`;
const routeText = ({ host, pathPrefix }: Route): string => `${host || '*'}${pathPrefix || '/'}`;

// The routes wanted of each listener, and the listeners that have to be opened for them.
class Wishes {
  readonly flags: Flag[] = [];
  readonly opened = new Map<string, Listener>();
  readonly byListener = new Map<string, Wish[]>();
  readonly #given: Attaching;
  readonly #byAddress: ReadonlyMap<string, Listener>;

  constructor(given: Attaching) {
    this.#given = given;
    const all = [...given.defined.values()];
    this.#byAddress = new Map(all.map((listener) => [listener.targetText, listener]));
    for (const { source, layer, attached } of given.states) {
      for (const { origin, on, routes } of attached) {
        const listener = this.#listenerOf(source, origin, on);
        if (listener === undefined) continue;
        const wishes = this.byListener.get(listener) ?? [];
        wishes.push(...routes.map((route) => ({ source, layer, origin, route })));
        this.byListener.set(listener, wishes);
      }
    }
  }

  #listenerOf(
    source: string,
    origin: string,
    on: Desired['attached'][number]['on'],
  ): string | undefined {
    const { defined, refused } = this.#given;
    const flag = (what: string, reason: string): undefined => {
      this.flags.push({ source, origin, what, reason });
      return undefined;
    };
    if (on.kind === 'name') {
      if (defined.has(on.listener)) return on.listener;
      const known = [...defined.keys()].map((name) => `'${name}'`).join(', ');
      const there = known === '' ? 'there is none' : `there is ${known}`;
      return flag(`listener ${on.listener}`, `no listener has that name; ${there}`);
    }
    const { name, targetText, mode } = on.listener;
    const known = this.#byAddress.get(targetText) ?? this.opened.get(name);
    if (known !== undefined) {
      if (known.mode === mode) return known.name;
      return flag(`listener ${name}`, `'${known.name}' listens there in mode ${known.mode}`);
    }
    if (defined.has(name)) return flag(`listener ${name}`, 'that name has another address');
    const reason = refused.get(name);
    if (reason !== undefined) return flag(`listener ${name}`, reason);
    this.opened.set(name, on.listener);
    return name;
  }
}

class Attachment {
  readonly owners = new Map<string, string>();
  readonly flags: Flag[] = [];
  readonly #given: Attaching;

  constructor(given: Attaching) {
    this.#given = given;
  }

  // The listener with the routes that are wanted of it; each host and path has one owner.
  withRoutes(listener: Listener, wishes: readonly Wish[]): Listener {
    const byKey = new Map<string, Wish[]>();
    for (const wish of wishes) {
      const key = `${wish.route.host} ${wish.route.pathPrefix}`;
      byKey.set(key, [...(byKey.get(key) ?? []), wish]);
    }
    const own = new Map(listener.routes.map((one) => [`${one.host} ${one.pathPrefix}`, one]));
    const routes = new Map(own);
    for (const [key, all] of byKey) {
      const route = this.#chosen(listener.name, key, all, own.get(key));
      if (route !== undefined) routes.set(key, route);
    }
    return wishes.length === 0 ? listener : { ...listener, routes: [...routes.values()] };
  }

  // An override wins, then the listener's own definition, then whose it was, then the first one.
  #chosen(
    listener: string,
    key: string,
    wishes: readonly Wish[],
    own: Route | undefined,
  ): Route | undefined {
    const { pools, before } = this.#given;
    const possible = wishes.filter((wish) => {
      if (pools.has(wish.route.pool)) return true;
      this.#flag(listener, wish, `there is no pool '${wish.route.pool}'`);
      return false;
    });
    const ownerKey = `route ${listener} ${key}`;
    const former = before.owners.get(ownerKey);
    const override = possible.find(({ layer }) => layer === 'override');
    const known = possible.find((wish) => wishOwner(wish) === former);
    const chosen = override ?? (own === undefined ? (known ?? possible[0]) : undefined);
    const pool = chosen?.route.pool ?? own?.pool;
    const by = chosen === undefined ? `listener ${listener}` : chosen.origin || chosen.source;
    for (const wish of possible) {
      if (wish.route.pool !== pool) this.#flag(listener, wish, `${by} has it for pool '${pool}'`);
    }
    if (chosen !== undefined) this.owners.set(ownerKey, wishOwner(chosen));
    return chosen?.route;
  }

  #flag(listener: string, { source, origin, route }: Wish, reason: string): void {
    const what = `route ${routeText(route)} of listener ${listener}`;
    this.flags.push({ source, origin, what, reason });
  }
}

export function attach(given: Attaching): Attached {
  const { states, defined, before } = given;
  if (states.every(({ attached }) => attached.length === 0)) {
    return { listeners: defined, owners: new Map(), flags: [], opened: new Set() };
  }
  const wishes = new Wishes(given);
  const attachment = new Attachment(given);
  const listeners = new Map<string, Listener>();
  for (const [name, listener] of [...defined, ...wishes.opened]) {
    const made = attachment.withRoutes(listener, wishes.byListener.get(name) ?? []);
    // Without a route there is nothing to open it for.
    if (wishes.opened.has(name) && made.routes.length === 0) continue;
    listeners.set(name, made);
    if (wishes.opened.has(name)) {
      const sources = (wishes.byListener.get(name) ?? []).map(({ source }) => source);
      const former = before.owners.get(`listener ${name}`) ?? '';
      const owner = sources.includes(former) ? former : (sources[0] ?? '');
      attachment.owners.set(`listener ${name}`, owner);
    }
  }
  return {
    listeners,
    owners: attachment.owners,
    flags: [...wishes.flags, ...attachment.flags],
    opened: new Set([...wishes.opened.keys()].filter((name) => listeners.has(name))),
  };
}
