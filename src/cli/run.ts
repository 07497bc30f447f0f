// `sluice run`: a balancer from a file.
import type { Config } from '../config/schema.ts';
import { readConfigFile } from './config-file.ts';
import { dialectsOf } from './dialects.ts';
import { type Overrides, withOverrides } from './overrides.ts';
import { serve } from './serve.ts';

export async function run(path: string, overrides: Overrides): Promise<number> {
  const adjust = (config: Config): Config => withOverrides(config, overrides);
  // With the lines of all problems, before anything is started.
  const { config } = await readConfigFile(path);
  return serve({
    source: { file: path, adjust },
    logLevel: adjust(config).logLevel,
    check: () => readConfigFile(path),
    dialects: dialectsOf(),
  });
}
