// `sluice run`: a balancer from a file, or, without one, the admin API alone.
import type { Config } from '../config/schema.ts';
import type { LogLevel } from '../log.ts';
import { dialectsOf } from './dialects.ts';
import { logFormatOf, type Overrides, withOverrides } from './overrides.ts';
import { serve } from './serve.ts';

export async function run(path: string | undefined, overrides: Overrides): Promise<number> {
  // As the file says when it is read first; later changes of it have no effect.
  let logLevel: LogLevel | undefined;
  const adjust = (config: Config): Config => {
    const adjusted = { watch: true, ...withOverrides(config, overrides) };
    logLevel ??= adjusted.logLevel ?? 'info';
    return adjusted;
  };
  const more = {
    logFormat: logFormatOf(overrides),
    pidfile: overrides.pidfile,
    dialects: dialectsOf(),
  };
  if (path === undefined) {
    const config = adjust({ listeners: {}, pools: {} });
    return serve({ source: config, logLevel: config.logLevel, ...more });
  }
  // What is wrong with the file, and where, is known before anything is started.
  const source = { file: path, adjust };
  return serve({ source, logLevel: () => logLevel, file: path, ...more });
}
