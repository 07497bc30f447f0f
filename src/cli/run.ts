// `sluice run`: a balancer from a file, or, without one, the admin API alone.
import type { Config } from '../config/schema.ts';
import { checkConfigFile } from './config-file.ts';
import { dialectsOf } from './dialects.ts';
import { logFormatOf, type Overrides, withOverrides } from './overrides.ts';
import { serve } from './serve.ts';

export async function run(path: string | undefined, overrides: Overrides): Promise<number> {
  const adjust = (config: Config): Config => ({
    watch: true,
    ...withOverrides(config, overrides),
  });
  const more = {
    logFormat: logFormatOf(overrides),
    pidfile: overrides.pidfile,
    dialects: dialectsOf(),
  };
  if (path === undefined) {
    const config = adjust({ listeners: {}, pools: {} });
    return serve({ source: config, logLevel: config.logLevel, ...more });
  }
  // With the places of all problems, before anything is started.
  const { settings } = await checkConfigFile(path, adjust);
  const source = { file: path, adjust };
  return serve({ source, logLevel: settings.logLevel, file: path, ...more });
}
