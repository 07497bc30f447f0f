// Settings that the command line and the environment state over the file's: a flag wins over its
// variable, the variable over the file.
import { Option } from 'commander';
import { parseAddress } from '../config/address.ts';
import { endpointExpected, parseEndpoint } from '../config/endpoint.ts';
import type { Config } from '../config/schema.ts';
import { type LogLevel, logLevels } from '../log.ts';
import { limits } from '../model/limits.ts';
import type { EngineChoice } from '../model/types.ts';
import { UsageError } from './failure.ts';

export interface Overrides {
  readonly workers?: string;
  readonly engine?: EngineChoice;
  readonly logLevel?: LogLevel;
  readonly admin?: string;
  // true: the option without an endpoint.
  readonly docker?: string | true;
}

export const adminDefault = '127.0.0.1:9123';

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
  new Option(
    '--docker [endpoint]',
    'balance the containers of a Docker engine; without an endpoint: DOCKER_HOST, or the usual ' +
      'socket; off for none',
  ).env('SLUICE_DOCKER'),
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
  return { listen: stated };
}

function providersOf(stated: string | true | undefined, config: Config): Config['providers'] {
  const { docker, ...others } = config.providers ?? {};
  if (stated === undefined) return config.providers;
  if (stated === 'off' || stated === 'false' || stated === '0') return others;
  // As an environment variable says yes.
  if (stated === true || stated === '' || stated === 'true' || stated === '1') {
    return { ...others, docker: docker ?? {} };
  }
  if (parseEndpoint(stated) === undefined) {
    throw new UsageError(`--docker is '${stated}': expected ${endpointExpected}, or off`);
  }
  const { endpoint: _, tls, ...rest } = docker ?? {};
  const secured = tls === undefined || stated.startsWith('unix:') ? {} : { tls };
  return { ...others, docker: { ...rest, ...secured, endpoint: stated } };
}

// Throws a UsageError.
export function withOverrides(config: Config, overrides: Overrides): Config {
  const { workers, engine, logLevel, admin, docker } = overrides;
  const { admin: _, providers: __, ...rest } = config;
  const listen = adminOf(admin, config);
  const providers = providersOf(docker, config);
  return {
    ...rest,
    ...(workers === undefined ? {} : { workers: workersOf(workers) }),
    ...(engine === undefined ? {} : { engine }),
    ...(logLevel === undefined ? {} : { logLevel }),
    ...(listen === undefined ? {} : { admin: listen }),
    ...(providers === undefined ? {} : { providers }),
  };
}
