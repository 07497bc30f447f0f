// The provider that states what a YAML or JSON file says, as of its last successful load.
import { type Config, loadConfigFile, loadDesired, parseConfig } from '../config/load.ts';
import { type Lookup, resolveDesired, systemLookup } from '../config/resolve.ts';
import type { Backend, Desired } from '../model/types.ts';
import { StatedProvider } from './stated.ts';

export interface FileOptions {
  // Settings that win over the file's, for example those of a command line.
  readonly adjust?: (config: Config) => Config;
  readonly lookup?: Lookup;
}

export class FileProvider extends StatedProvider {
  readonly path: string;
  readonly #adjust: FileOptions['adjust'];
  readonly #lookup: Lookup;

  constructor(path: string, { adjust, lookup = systemLookup }: FileOptions = {}) {
    super('file');
    this.path = path;
    this.#adjust = adjust;
    this.#lookup = lookup;
  }

  // Reads, checks and resolves the file, and leaves the stated state alone: `replace` takes it in.
  // Throws ERR_SLUICE_CONFIG_FILE or ERR_SLUICE_CONFIG.
  async load(): Promise<Desired<Backend>> {
    const desired =
      this.#adjust === undefined
        ? await loadDesired(this.path, this.source)
        : parseConfig(this.#adjust(await loadConfigFile(this.path)), this.source);
    return resolveDesired(desired, this.#lookup);
  }
}
