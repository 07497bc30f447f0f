// The provider behind the programming interface: a whole configuration, when one was given, and the
// changes made to pools at run time, its own or another provider's.
import type { Backend, Desired, DesiredPool, PoolSettings } from '../model/types.ts';
import { nothing, type Provider } from './provider.ts';

// One pool while it is being changed. `stated` is the last statement of it, until it changes.
interface Draft {
  settings: PoolSettings | undefined;
  backends: Map<string, Backend>;
  without: Set<string>;
  weights: Map<string, number>;
  stated: DesiredPool<Backend> | undefined;
}

const draftOf = (pool: DesiredPool<Backend>): Draft => ({
  settings: pool.settings,
  backends: new Map(pool.backends),
  without: new Set(pool.without),
  weights: new Map(pool.weights),
  stated: pool,
});

export class ApiProvider implements Provider {
  readonly source = 'api';
  #base: Desired<Backend> = nothing('api');
  // Pools that were changed since `#base` was stated.
  #drafts = new Map<string, Draft>();

  state(): Desired<Backend> {
    const pools = new Map(this.#base.pools);
    for (const [name, draft] of this.#drafts) {
      draft.stated ??= {
        settings: draft.settings,
        backends: new Map(draft.backends),
        without: new Set(draft.without),
        weights: new Map(draft.weights),
      };
      pools.set(name, draft.stated);
    }
    return { ...this.#base, pools };
  }
  restore(state: Desired<Backend>): void {
    this.#base = state;
    this.#drafts = new Map();
  }

  // Whether a backend is stated (true), stated to be absent (false), or neither.
  states(pool: string, id: string): boolean | undefined {
    const stated = this.#drafts.get(pool) ?? this.#base.pools.get(pool);
    if (stated?.backends.has(id)) return true;
    return stated?.without.has(id) ? false : undefined;
  }

  add(pool: string, backend: Backend): void {
    const draft = this.#change(pool);
    draft.backends.set(backend.id, backend);
    draft.without.delete(backend.id);
    draft.weights.delete(backend.id);
  }

  // A backend that another provider states is stated to be absent.
  remove(pool: string, id: string, statedElsewhere: boolean): void {
    const draft = this.#change(pool);
    draft.backends.delete(id);
    draft.weights.delete(id);
    if (statedElsewhere) draft.without.add(id);
  }

  setWeight(pool: string, id: string, weight: number): void {
    this.#change(pool).weights.set(id, weight);
  }

  #change(name: string): Draft {
    let draft = this.#drafts.get(name);
    if (draft === undefined) {
      const base = this.#base.pools.get(name);
      draft = draftOf(
        base ?? {
          settings: undefined,
          backends: new Map(),
          without: new Set(),
          weights: new Map(),
        },
      );
      this.#drafts.set(name, draft);
    }
    draft.stated = undefined;
    return draft;
  }
}
