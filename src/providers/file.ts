// The provider that states what a YAML or JSON file says, as of its last successful load.
import { loadDesired } from '../config/load.ts';
import { type Lookup, resolveDesired, systemLookup } from '../config/resolve.ts';
import type { Backend, Desired } from '../model/types.ts';
import { nothing, type Provider } from './provider.ts';

export class FileProvider implements Provider {
  readonly source = 'file';
  readonly path: string;
  readonly #lookup: Lookup;
  #state: Desired<Backend> = nothing('file');

  constructor(path: string, lookup: Lookup = systemLookup) {
    this.path = path;
    this.#lookup = lookup;
  }

  // Reads, checks and resolves the file, and leaves the stated state alone: `restore` takes it in.
  // Throws ERR_SLUICE_CONFIG_FILE or ERR_SLUICE_CONFIG.
  async load(): Promise<Desired<Backend>> {
    return resolveDesired(await loadDesired(this.path, this.source), this.#lookup);
  }
  state(): Desired<Backend> {
    return this.#state;
  }
  restore(state: Desired<Backend>): void {
    this.#state = state;
  }
}
