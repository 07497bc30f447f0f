// A configuration file, checked as a whole before anything is started from it: its syntax, its
// shape, that its host names resolve, and that its parts fit together.
import { parseConfig, readDocument, withLines } from '../config/load.ts';
import { resolveDesired } from '../config/resolve.ts';
import type { Config } from '../config/schema.ts';
import { configError, SluiceError } from '../errors.ts';
import { build } from '../model/build.ts';
import type { Model } from '../model/types.ts';
import { merge } from '../providers/merge.ts';

export interface Checked {
  readonly config: Config;
  readonly model: Model;
}

// Throws ERR_SLUICE_CONFIG_FILE, or ERR_SLUICE_CONFIG with every problem and its line.
export async function readConfigFile(path: string): Promise<Checked> {
  const { input, locate } = await readDocument(path);
  try {
    const desired = await resolveDesired(parseConfig(input, 'file', locate));
    const model = build(merge([desired]).model);
    return { config: input as Config, model };
  } catch (error) {
    if (!(error instanceof SluiceError) || error.issues.length === 0) throw error;
    throw configError(withLines(error.issues, locate), error.cause);
  }
}
