// The variables that balancers of the container world use, beside sluice's own (`SLUICE_*`, which
// win over these and which the command line declares with its flags).
import { SluiceError } from '../errors.ts';
import type { LogLevel } from '../log.ts';
import type { Environment } from './variables.ts';

export interface EnvironmentSettings {
  // LOAD_BALANCER_PORT: where listeners are opened that state no port of their own.
  readonly port: number;
  // LOAD_BALANCER_WEB_PORT: the admin API's; undefined when it is not set.
  readonly webPort: number | undefined;
  // LOAD_BALANCER_LOG_LEVEL; undefined when it is not set.
  readonly logLevel: LogLevel | undefined;
}

export const portDefault = 8080;

// Levels of syslog (RFC 5424) and their usual short forms.
const levels: Readonly<Record<string, LogLevel>> = {
  debug: 'debug',
  info: 'info',
  notice: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  critical: 'error',
  alert: 'error',
  emergency: 'error',
  none: 'silent',
  silent: 'silent',
};

function refused(name: string, value: string, expected: string): never {
  throw new SluiceError('ERR_SLUICE_ARGUMENT', {
    argument: `the environment variable ${name}`,
    value: JSON.stringify(value),
    expected,
  });
}

function portOf(env: Environment, name: string): number | undefined {
  const text = env[name];
  if (text === undefined || text === '') return undefined;
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : -1;
  return port >= 0 && port <= 65_535 ? port : refused(name, text, 'a port from 0 to 65535');
}

// Variables that are empty count as not set. Throws ERR_SLUICE_ARGUMENT with the variable's name.
export function environment(env: Environment = process.env): EnvironmentSettings {
  const stated = env['LOAD_BALANCER_LOG_LEVEL'];
  const text = stated === '' ? undefined : stated;
  const logLevel = text === undefined ? undefined : levels[text.toLowerCase()];
  if (text !== undefined && logLevel === undefined) {
    refused('LOAD_BALANCER_LOG_LEVEL', text, `one of ${Object.keys(levels).join(', ')}`);
  }
  return {
    port: portOf(env, 'LOAD_BALANCER_PORT') ?? portDefault,
    webPort: portOf(env, 'LOAD_BALANCER_WEB_PORT'),
    logLevel,
  };
}
