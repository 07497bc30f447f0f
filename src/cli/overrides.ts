// Settings that the command line and the environment state over the file's: a flag wins over its
// variable, that over one of other balancers (`LOAD_BALANCER_*`), and that over the file.
import { InvalidArgumentError, Option } from 'commander';
import { parseAddress } from '../config/address.ts';
import { endpointExpected, parseEndpoint } from '../config/endpoint.ts';
import { type EnvironmentSettings, environment } from '../config/environment.ts';
import type { Config } from '../config/schema.ts';
import { adminDefault } from '../config/schema-admin.ts';
import { type LogFormat, type LogLevel, logLevels } from '../log.ts';
import { limits } from '../model/limits.ts';
import type { EngineChoice } from '../model/types.ts';
import { UsageError } from './failure.ts';

export interface Overrides {
  readonly workers?: string;
  readonly engine?: EngineChoice;
  readonly logLevel?: LogLevel;
  readonly admin?: string;
  // `false`: the flag's negation.
  readonly watch?: 'on' | 'off' | 'true' | 'false' | false;
  // true: the option without an endpoint.
  readonly docker?: string | true;
  readonly logFormat?: 'json' | 'console';
  readonly pidfile?: string;
}

export const logFormatOf = ({ logFormat }: Overrides): LogFormat | undefined =>
  logFormat === 'console' ? 'text' : logFormat;

export const overrideOptions = (): Option[] => [
  new Option('--workers <n>', 'worker threads, or auto: one for each processor')
    .argParser(checked(workersOf))
    .env('SLUICE_WORKERS'),
  new Option('--engine <name>', 'how workers talk to the kernel')
    .choices(['auto', 'io_uring', 'epoll'])
    .env('SLUICE_ENGINE'),
  new Option('--log-level <level>', 'what is logged')
    .choices([...logLevels])
    .env('SLUICE_LOG_LEVEL'),
  new Option('--log-format <format>', 'console on a terminal, json otherwise, unless stated')
    .choices(['json', 'console'])
    .env('SLUICE_LOG_FORMAT'),
  new Option(
    '--admin <address>',
    `where /health and /metrics answer: host:port, unix:/path or off (default: ${adminDefault})`,
  )
    .argParser(checked((text) => adminOf(text, {}, undefined)))
    .env('SLUICE_ADMIN'),
  new Option(
    '--docker [endpoint]',
    'balance the containers of a Docker engine; without an endpoint: DOCKER_HOST, or the usual ' +
      'socket; off for none',
  ).env('SLUICE_DOCKER'),
];

export const watchOptions = (): Option[] => [
  new Option('--watch [on|off]', 'take over changes of the file by itself (default: on)')
    .choices(['on', 'off', 'true', 'false'])
    .preset('on')
    .env('SLUICE_WATCH'),
  new Option('--no-watch', 'the same as --watch off'),
];

// Commander's complaint names the flag, or the variable, that the text comes from.
const checked =
  (parse: (text: string) => unknown) =>
  (text: string): string => {
    try {
      parse(text);
    } catch (error) {
      if (error instanceof UsageError) throw new InvalidArgumentError(error.message);
      throw error;
    }
    return text;
  };

function workersOf(text: string): number | 'auto' {
  if (text === 'auto') return text;
  const count = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= limits.workersMax) return count;
  throw new UsageError(
    `--workers is '${text}': expected auto or a whole number from 1 to ${limits.workersMax}`,
  );
}

// Another port on the host that the file says, or on this one.
function withPort(listen: string, port: number): string {
  const host = listen.startsWith('unix:') ? '127.0.0.1' : listen.replace(/:\d+$/, '');
  return `${host}:${port}`;
}

function adminOf(
  stated: string | undefined,
  { admin }: Pick<Config, 'admin'>,
  port: number | undefined,
): Config['admin'] {
  if (stated === 'off') return undefined;
  if (stated === undefined) {
    const { listen = adminDefault } = admin ?? {};
    if (port === undefined) return admin ?? { listen };
    return { ...admin, listen: withPort(listen, port) };
  }
  if (parseAddress(stated, '127.0.0.1') === undefined) {
    throw new UsageError(`--admin is '${stated}': expected host:port, unix:/path or off`);
  }
  return { ...admin, listen: stated };
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
export function withOverrides(
  config: Config,
  overrides: Overrides,
  others: EnvironmentSettings = environment(),
): Config {
  const { workers, engine, logLevel = others.logLevel, admin, watch, docker } = overrides;
  const { admin: _, providers: __, ...rest } = config;
  const listen = adminOf(admin, config, others.webPort);
  const providers = providersOf(docker, config);
  return {
    ...rest,
    ...(workers === undefined ? {} : { workers: workersOf(workers) }),
    ...(engine === undefined ? {} : { engine }),
    ...(logLevel === undefined ? {} : { logLevel }),
    ...(watch === undefined ? {} : { watch: watch === 'on' || watch === 'true' }),
    ...(listen === undefined ? {} : { admin: listen }),
    ...(providers === undefined ? {} : { providers }),
  };
}
