// All providers' statements into one. Pure: the same statements give the same result, and a pool
// whose statements are the same objects as before keeps its object.
import { SluiceError } from '../errors.ts';
import {
  type Backend,
  type Desired,
  type DesiredPool,
  emptyModel,
  type Listener,
  type Model,
  type Pool,
} from '../model/types.ts';

export interface Merged {
  readonly states: readonly Desired<Backend>[];
  readonly model: Model;
}

export const unmerged: Merged = { states: [], model: emptyModel };

const conflict = (what: string, first: string, second: string): SluiceError =>
  new SluiceError('ERR_SLUICE_CONFLICT', { what, first, second });

function listenersOf(states: readonly Desired<Backend>[]): Map<string, Listener> {
  const owners = new Map<string, string>();
  const result = new Map<string, Listener>();
  for (const { source, listeners } of states) {
    for (const [name, listener] of listeners) {
      const owner = owners.get(name);
      if (owner !== undefined) throw conflict(`listener '${name}'`, owner, source);
      owners.set(name, source);
      result.set(name, listener);
    }
  }
  return result;
}

interface Statement {
  readonly source: string;
  readonly pool: DesiredPool<Backend>;
}

const statementsOf = (states: readonly Desired<Backend>[], name: string): Statement[] =>
  states.flatMap(({ source, pools }) => {
    const pool = pools.get(name);
    return pool === undefined ? [] : [{ source, pool }];
  });

// Later statements win over earlier ones; absences and weights win over all.
function backendsOf(statements: readonly Statement[]): ReadonlyMap<string, Backend> {
  const [only] = statements;
  const plain = statements.every(({ pool }) => pool.without.size + pool.weights.size === 0);
  if (statements.length === 1 && only !== undefined && plain) return only.pool.backends;
  const result = new Map<string, Backend>();
  for (const { pool } of statements) {
    for (const [id, backend] of pool.backends) result.set(id, backend);
  }
  for (const { pool } of statements) {
    for (const id of pool.without) result.delete(id);
    for (const [id, weight] of pool.weights) {
      const backend = result.get(id);
      if (backend !== undefined && backend.weight !== weight)
        result.set(id, { ...backend, weight });
    }
  }
  return result;
}

// undefined: nobody defines the pool, what was added to it waits until somebody does.
function poolOf(name: string, statements: readonly Statement[]): Pool | undefined {
  const [definition, second] = statements.filter(({ pool }) => pool.settings !== undefined);
  if (definition?.pool.settings === undefined) return undefined;
  if (second !== undefined) throw conflict(`pool '${name}'`, definition.source, second.source);
  return { name, settings: definition.pool.settings, backends: backendsOf(statements) };
}

// Throws ERR_SLUICE_CONFLICT when two providers define the same thing.
export function merge(states: readonly Desired<Backend>[], before: Merged = unmerged): Merged {
  const stating = states.filter(({ settings }) => settings !== undefined);
  const [first, second] = stating;
  if (first && second) throw conflict('the settings', first.source, second.source);
  const names = new Set(states.flatMap(({ pools }) => [...pools.keys()]));
  const pools = new Map<string, Pool>();
  for (const name of names) {
    const statements = statementsOf(states, name);
    const former = statementsOf(before.states, name);
    const known = before.model.pools.get(name);
    const same =
      statements.length === former.length &&
      statements.every(({ pool }, index) => pool === former[index]?.pool);
    const pool = same && known !== undefined ? known : poolOf(name, statements);
    if (pool !== undefined) pools.set(name, pool);
  }
  const settings = first?.settings ?? emptyModel.settings;
  return { states, model: { settings, listeners: listenersOf(states), pools } };
}
