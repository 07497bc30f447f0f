// The provider that states what a configuration file says, as of its last successful load.
import type { Document } from '../config/document.ts';
import { checkConfig, inOrder, readConfig } from '../config/load.ts';
import { withMeanings, withPlaces } from '../config/problems.ts';
import { type Lookup, resolveNames, systemLookup } from '../config/resolve.ts';
import type { Config } from '../config/schema.ts';
import { configError, SluiceError } from '../errors.ts';
import { issuesOf } from '../model/build.ts';
import type { Backend, Desired } from '../model/types.ts';
import { merge } from './merge.ts';
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
  #document: Document | undefined;
  #watch: boolean | undefined;

  constructor(path: string, { adjust, lookup = systemLookup }: FileOptions = {}) {
    super('file');
    this.path = path;
    this.#adjust = adjust;
    this.#lookup = lookup;
  }

  // Whether the file, as it was loaded last, says that it is watched.
  get watch(): boolean | undefined {
    return this.#watch;
  }

  // Reads, checks and resolves the file, and leaves the stated state alone: `replace` takes it in.
  // Throws ERR_SLUICE_CONFIG_FILE or ERR_SLUICE_CONFIG.
  async load(): Promise<Desired<Backend>> {
    const document = await readConfig(this.path);
    const { input, locate } = document;
    const adjusted = this.#adjust === undefined ? input : this.#adjustable(input, this.#adjust);
    const { desired, issues } = checkConfig(adjusted, this.source, locate);
    const resolved = await resolveNames(desired, this.#lookup);
    const found = [...issues, ...withPlaces(resolved.issues, locate)];
    if (found.length > 0) {
      // What the parts have wrong among each other, too: people want to see everything at once.
      const model = merge([resolved.desired]).model;
      const others = withPlaces(withMeanings(issuesOf(model), model.pools.keys()), locate);
      throw configError(inOrder([...found, ...others]));
    }
    this.#document = document;
    this.#watch = (adjusted as Config).watch;
    return resolved.desired;
  }
  // The same error with places in the file that was loaded last.
  located(error: unknown): unknown {
    if (!(error instanceof SluiceError) || error.code !== 'ERR_SLUICE_CONFIG') return error;
    const { locate } = this.#document ?? {};
    const pools = Object.keys((this.#document?.input as Config | undefined)?.pools ?? {});
    const issues = withMeanings(error.issues, pools);
    return configError(locate === undefined ? issues : withPlaces(issues, locate), error.cause);
  }

  // What is no object is refused by the schema, not by whoever adjusts it.
  #adjustable(input: unknown, adjust: (config: Config) => Config): unknown {
    const isObject = typeof input === 'object' && input !== null && !Array.isArray(input);
    return isObject ? adjust(input as Config) : input;
  }
}
