// All providers' statements into one. Pure: the same statements after the same merge give the same
// result, and what is stated by the same objects as before keeps its object. Two who define the
// same thing: who had it first keeps it, the other is flagged.
import {
  type Backend,
  type Desired,
  type DesiredPool,
  emptyModel,
  type Flag,
  type Listener,
  type Model,
  type Pool,
  type Settings,
} from '../model/types.ts';
import { attach } from './attach.ts';

export interface Merged {
  readonly states: readonly Desired<Backend>[];
  readonly model: Model;
  // Whose definition is in force: by `listener NAME`, `pool NAME` and `settings` the source, by
  // `route LISTENER HOST PATH` the source and its origin.
  readonly owners: ReadonlyMap<string, string>;
  readonly flags: readonly Flag[];
  // Listeners that are open for the routes attached to them alone, by name.
  readonly opened: ReadonlySet<string>;
}

export const unmerged: Merged = {
  states: [],
  model: emptyModel,
  owners: new Map(),
  flags: [],
  opened: new Set(),
};

export interface Definition<T> {
  readonly source: string;
  readonly layer: Desired['layer'];
  readonly value: T;
}

// Collects who owns what, and who does not get it.
class Owners {
  readonly now = new Map<string, string>();
  readonly flags: Flag[] = [];
  readonly #before: ReadonlyMap<string, string>;

  constructor(before: ReadonlyMap<string, string>) {
    this.#before = before;
  }

  // An override wins; otherwise whose it was, otherwise the first one.
  choose<T>(key: string, what: string, all: readonly Definition<T>[]): T | undefined {
    const former = this.#before.get(key);
    const chosen =
      all.find(({ layer }) => layer === 'override') ??
      all.find(({ source }) => source === former) ??
      all[0];
    if (chosen === undefined) return undefined;
    this.now.set(key, chosen.source);
    for (const { source } of all) {
      if (source === chosen.source || chosen.layer === 'override') continue;
      const reason = `provider '${chosen.source}' defines it already`;
      this.flags.push({ source, origin: '', what, reason });
    }
    return chosen.value;
  }
}

type States = readonly Desired<Backend>[];

const definitions = <T>(
  states: States,
  of: (state: Desired<Backend>) => T | undefined,
): Definition<T>[] =>
  states.flatMap((state) => {
    const value = of(state);
    return value === undefined ? [] : [{ source: state.source, layer: state.layer, value }];
  });

function listenersOf(states: States, owners: Owners): Map<string, Listener> {
  const names = new Set(states.flatMap(({ listeners }) => [...listeners.keys()]));
  const result = new Map<string, Listener>();
  for (const name of names) {
    const all = definitions(states, ({ listeners }) => listeners.get(name));
    const chosen = owners.choose(`listener ${name}`, `listener ${name}`, all);
    if (chosen !== undefined) result.set(name, chosen);
  }
  return result;
}

// Later statements win over earlier ones; absences and weights win over all.
function backendsOf(
  statements: readonly Definition<DesiredPool<Backend>>[],
): ReadonlyMap<string, Backend> {
  const [only] = statements;
  const plain = statements.every(({ value }) => value.without.size + value.weights.size === 0);
  if (statements.length === 1 && only !== undefined && plain) return only.value.backends;
  const result = new Map<string, Backend>();
  for (const { value } of statements) {
    for (const [id, backend] of value.backends) result.set(id, backend);
  }
  for (const { value } of statements) {
    for (const id of value.without) result.delete(id);
    for (const [id, weight] of value.weights) {
      const backend = result.get(id);
      if (backend !== undefined && backend.weight !== weight) {
        result.set(id, { ...backend, weight });
      }
    }
  }
  return result;
}

// undefined: nobody defines the pool, what was added to it waits until somebody does. A provider
// whose definition is not in force adds no backends either: it means another pool.
function poolOf(name: string, states: States, owners: Owners): Pool | undefined {
  const all = definitions(states, ({ pools }) => pools.get(name));
  const defining = all.filter(({ value }) => value.settings !== undefined);
  const definition = owners.choose(`pool ${name}`, `pool ${name}`, defining);
  if (definition?.settings === undefined) return undefined;
  const owner = owners.now.get(`pool ${name}`);
  const counted = all.filter(({ source, value }) => {
    return source === owner || value.settings === undefined;
  });
  return { name, settings: definition.settings, backends: backendsOf(counted) };
}

function poolsOf(states: States, before: Merged, owners: Owners): Map<string, Pool> {
  const result = new Map<string, Pool>();
  const statements = (of: States, name: string) => of.flatMap(({ pools }) => pools.get(name) ?? []);
  for (const name of new Set(states.flatMap(({ pools }) => [...pools.keys()]))) {
    const made = poolOf(name, states, owners);
    if (made === undefined) continue;
    const now = statements(states, name);
    const former = statements(before.states, name);
    const known = before.model.pools.get(name);
    const key = `pool ${name}`;
    const same =
      owners.now.get(key) === before.owners.get(key) &&
      now.length === former.length &&
      now.every((pool, index) => pool === former[index]);
    result.set(name, same && known !== undefined ? known : made);
  }
  return result;
}

// `refused`: why listeners that would be open for attached routes alone cannot be, by name.
export function merge(
  states: States,
  before: Merged = unmerged,
  refused: ReadonlyMap<string, string> = new Map(),
): Merged {
  const owners = new Owners(before.owners);
  const stated = definitions<Settings>(states, (state) => state.settings);
  const settings = owners.choose('settings', 'the settings', stated) ?? emptyModel.settings;
  const pools = poolsOf(states, before, owners);
  const defined = listenersOf(states, owners);
  const attached = attach({ states, defined, pools, before, refused });
  return {
    states,
    model: { settings, listeners: attached.listeners, pools },
    owners: new Map([...owners.now, ...attached.owners]),
    flags: [...owners.flags, ...attached.flags],
    opened: attached.opened,
  };
}
