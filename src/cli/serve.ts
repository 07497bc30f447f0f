// What `run` and `demo` share: a balancer in this process, announced, until a signal ends it.
import type { Config } from '../config/schema.ts';
import {
  type ConfigFile,
  createLoadBalancer,
  type DialectOptions,
  type LoadBalancer,
} from '../index.ts';
import { createLogger, type Logger, type LogLevel } from '../log.ts';
import { untilSignalled } from './signals.ts';

// An error that nobody caught is one of the control plane. Ending the process for it would end all
// traffic, which does not depend on JavaScript: it is logged and serving goes on.
function keepServing(log: Logger): void {
  process.on('uncaughtException', (error) => log.error('uncaught exception', { error }));
  process.on('unhandledRejection', (error) => log.error('unhandled rejection', { error }));
}

function addressText(address: ReturnType<LoadBalancer['address']>): string {
  if ('path' in address) return `unix:${address.path}`;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

function announce(lb: LoadBalancer, log: Logger): void {
  const { engine, workers, listeners } = lb.stats();
  log.info('serving', {
    listeners: Object.keys(listeners).map((name) => `${name} ${addressText(lb.address(name))}`),
    workers: workers.length,
    engine,
    ...(lb.adminAddress === undefined ? {} : { admin: lb.adminAddress }),
  });
}

export interface Serving {
  readonly source: Config | ConfigFile;
  readonly logLevel: LogLevel | undefined;
  // Called when traffic can come.
  readonly ready?: (lb: LoadBalancer) => void;
  // Called before the file is read again. Throws when it cannot be used.
  readonly check?: () => Promise<unknown>;
  readonly dialects?: DialectOptions;
}

// Resolves with the exit code. Throws when the balancer cannot be started.
export async function serve({
  source,
  logLevel,
  ready,
  check,
  dialects,
}: Serving): Promise<number> {
  const log = createLogger({ level: logLevel ?? 'info' });
  const lb = await createLoadBalancer(source, { logger: log, dialects });
  keepServing(log);
  const reload = async (): Promise<void> => {
    try {
      await check?.();
      const { sequence } = await lb.reload();
      log.info('configuration read again', { generation: sequence });
    } catch (error) {
      log.error('configuration not taken over, the old one stays', { error });
    }
  };
  const close = async (signal: string): Promise<void> => {
    log.info('draining', { signal });
    await lb.close();
    log.info('ended');
  };
  // Who reads that it serves may send a signal at once.
  const ended = untilSignalled({ close, reload }, (code) => process.exit(code));
  announce(lb, log);
  ready?.(lb);
  return ended;
}
