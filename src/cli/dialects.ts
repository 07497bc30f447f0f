// Where the admin API's dialects keep and balance what they are told, by the variables that users
// of theirs know.
import { environment } from '../config/environment.ts';
import type { DialectOptions } from '../index.ts';

const domainsFileDefault = 'data/domains.json';

// Variables that are empty count as not set. Throws when one is wrong.
export function dialectsOf(env: NodeJS.ProcessEnv = process.env): DialectOptions {
  return {
    domainsListen: `:${environment(env).port}`,
    domainsFile: env['DOMAIN_DATA_PATH'] || domainsFileDefault,
  };
}
