// Settings that the command line and the environment state over the file's: a flag wins over its
// variable, the variable over the file.
import { Option } from 'commander';
import { parseAddress } from '../config/address.ts';
import type { Config } from '../config/schema.ts';
import { adminDefault } from '../config/schema-admin.ts';
import { type LogLevel, logLevels } from '../log.ts';
import { limits } from '../model/limits.ts';
import type { EngineChoice } from '../model/types.ts';
import { UsageError } from './failure.ts';

export interface Overrides {
  readonly workers?: string;
  readonly engine?: EngineChoice;
  readonly logLevel?: LogLevel;
  readonly admin?: string;
}

export const overrideOptions = (): Option[] => [
  new Option('--workers <n>', 'worker threads, or auto: one for each processor').env(
    'SLUICE_WORKERS',
  ),
  new Option('--engine <name>', 'how workers talk to the kernel')
    .choices(['auto', 'io_uring', 'epoll'])
    .env('SLUICE_ENGINE'),
  new Option('--log-level <level>', 'what is logged')
    .choices([...logLevels])
    .env('SLUICE_LOG_LEVEL'),
  new Option(
    '--admin <address>',
    `where /health and /metrics answer: host:port, unix:/path or off (default: ${adminDefault})`,
  ).env('SLUICE_ADMIN'),
];

function workersOf(text: string): number | 'auto' {
  if (text === 'auto') return text;
  const count = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= limits.workersMax) return count;
  throw new UsageError(
    `--workers is '${text}': expected auto or a whole number from 1 to ${limits.workersMax}`,
  );
}

function adminOf(stated: string | undefined, config: Config): Config['admin'] {
  if (stated === 'off') return undefined;
  if (stated === undefined) return config.admin ?? { listen: adminDefault };
  if (parseAddress(stated, '127.0.0.1') === undefined) {
    throw new UsageError(`--admin is '${stated}': expected host:port, unix:/path or off`);
  }
  return { ...config.admin, listen: stated };
}

// Throws a UsageError.
export function withOverrides(config: Config, overrides: Overrides): Config {
  const { workers, engine, logLevel, admin } = overrides;
  const { admin: _, ...rest } = config;
  const listen = adminOf(admin, config);
  return {
    ...rest,
    ...(workers === undefined ? {} : { workers: workersOf(workers) }),
    ...(engine === undefined ? {} : { engine }),
    ...(logLevel === undefined ? {} : { logLevel }),
    ...(listen === undefined ? {} : { admin: listen }),
  };
}
