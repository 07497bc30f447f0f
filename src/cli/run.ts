// `sluice run`: a balancer from a file, or, without one, the admin API alone.
import type { Config } from '../config/schema.ts';
import { checkConfigFile } from './config-file.ts';
import { type Overrides, withOverrides } from './overrides.ts';
import { serve } from './serve.ts';

export async function run(path: string | undefined, overrides: Overrides): Promise<number> {
  const adjust = (config: Config): Config => ({
    watch: true,
    ...withOverrides(config, overrides),
  });
  if (path === undefined) {
    const config = adjust({ listeners: {}, pools: {} });
    return serve({ source: config, logLevel: config.logLevel });
  }
  // With the places of all problems, before anything is started.
  const { settings } = await checkConfigFile(path, adjust);
  return serve({ source: { file: path, adjust }, logLevel: settings.logLevel, file: path });
}
