// A configuration file, checked as a whole as a start would: its syntax, its
// shape, that its host names resolve, and that its parts fit together.
import { build } from '../model/build.ts';
import type { Model } from '../model/types.ts';
import { FileProvider } from '../providers/file.ts';
import { merge } from '../providers/merge.ts';
import { Names } from '../providers/names.ts';

// Throws ERR_SLUICE_CONFIG_FILE, or ERR_SLUICE_CONFIG with every problem and its place.
export async function checkConfigFile(path: string): Promise<Model> {
  const file = new FileProvider(path, { lookup: new Names().lookup });
  const desired = await file.load();
  try {
    return build(merge([desired]).model);
  } catch (error) {
    throw file.located(error);
  }
}
