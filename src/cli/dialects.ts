// Where the admin API's dialects keep and balance what they are told, by the variables that users
// of theirs know.
import type { DialectOptions } from '../index.ts';
import { UsageError } from './failure.ts';

const portDefault = '8080';
const domainsFileDefault = 'data/domains.json';

// Variables that are empty count as not set. Throws a UsageError.
export function dialectsOf(env: NodeJS.ProcessEnv = process.env): DialectOptions {
  const port = env['LOAD_BALANCER_PORT'] || portDefault;
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new UsageError(`LOAD_BALANCER_PORT is '${port}': expected a port from 0 to 65535`);
  }
  return {
    domainsListen: `:${Number(port)}`,
    domainsFile: env['DOMAIN_DATA_PATH'] || domainsFileDefault,
  };
}
