// A provider whose backends are where their host names stand now, and not only where they stood
// when it was asked to state them.
import { readdressed } from '../config/resolve.ts';
import type { Backend, Desired, DesiredPool } from '../model/types.ts';
import type { Names } from './names.ts';
import type { Provider } from './provider.ts';

interface Answer {
  readonly version: number;
  readonly pool: DesiredPool<Backend>;
}

export class Followed implements Provider {
  readonly #provider: Provider;
  readonly #names: Names;
  // By what the provider states, so that what did not move stays the same object.
  readonly #answers = new WeakMap<DesiredPool<Backend>, Answer>();

  constructor(provider: Provider, names: Names) {
    this.#provider = provider;
    this.#names = names;
  }

  get source(): string {
    return this.#provider.source;
  }
  state(): Desired<Backend> {
    const stated = this.#provider.state();
    const pools = new Map([...stated.pools].map(([name, pool]) => [name, this.#pool(pool)]));
    return { ...stated, pools };
  }
  checkpoint(): () => void {
    return this.#provider.checkpoint();
  }

  #pool(stated: DesiredPool<Backend>): DesiredPool<Backend> {
    const { version } = this.#names;
    const known = this.#answers.get(stated);
    if (known?.version === version) return known.pool;
    const moved = readdressed(stated, (host) => this.#names.addressOf(host));
    const pool = known !== undefined && isSame(known.pool, moved) ? known.pool : moved;
    this.#answers.set(stated, { version, pool });
    return pool;
  }
}

const isSame = (one: DesiredPool<Backend>, other: DesiredPool<Backend>): boolean =>
  [...one.backends].every(([id, { key }]) => other.backends.get(id)?.key === key);
