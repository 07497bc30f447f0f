// What `run` and `demo` share: a balancer in this process, announced, until a signal ends it.
import type { Config } from '../config/schema.ts';
import { reasonOf } from '../errors.ts';
import {
  type ConfigFile,
  createLoadBalancer,
  type DialectOptions,
  type LoadBalancer,
} from '../index.ts';
import { createLogger, type LogFormat, type Logger, type LogOptions } from '../log.ts';
import { CommandError } from './failure.ts';
import { removePidfile, writePidfile } from './pidfile.ts';
import { serviceManager } from './service-manager.ts';
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

function announce(lb: LoadBalancer, log: Logger, file: string | undefined): void {
  const { engine, workers, listeners } = lb.stats();
  log.info('serving', {
    listeners: Object.keys(listeners).map((name) => `${name} ${addressText(lb.address(name))}`),
    workers: workers.length,
    engine,
    ...(file === undefined ? {} : { config: file }),
    ...(lb.adminAddress === undefined ? {} : { admin: lb.adminAddress }),
  });
}

function statusOf(lb: LoadBalancer): string {
  const { engine, workers, listeners, generation } = lb.stats();
  const names = Object.keys(listeners).join(', ');
  const how = `${workers.length} workers on ${engine}, generation ${generation}`;
  return `serves ${names || 'nothing'}: ${how}`;
}

// What the watchdog wants to know. One that drains turns as well.
function workersTurn(lb: LoadBalancer): boolean {
  try {
    return lb
      .health()
      .workers.every(({ condition }) => condition === 'ok' || condition === 'ending');
  } catch {
    return false;
  }
}

async function writeOrClose(pidfile: string, lb: LoadBalancer): Promise<void> {
  try {
    writePidfile(pidfile, process.pid);
  } catch (error) {
    await lb.close({ timeout: 0 });
    throw new CommandError(`cannot write the pidfile ${pidfile}: ${reasonOf(error)}`);
  }
}

export interface Serving {
  readonly source: Config | ConfigFile;
  readonly logLevel: LogOptions['level'];
  readonly logFormat?: LogFormat | undefined;
  // Holds the process id while it serves.
  readonly pidfile?: string | undefined;
  // Called when traffic can come.
  readonly ready?: (lb: LoadBalancer) => void;
  // Where the configuration comes from.
  readonly file?: string;
  readonly dialects?: DialectOptions;
}

// Resolves with the exit code. Throws when the balancer cannot be started.
export async function serve(serving: Serving): Promise<number> {
  const { source, logLevel, logFormat: format, pidfile, ready, file, dialects } = serving;
  const log = createLogger({ level: logLevel ?? 'info', ...(format && { format }) });
  const manager = serviceManager(log);
  const lb = await createLoadBalancer(source, { logger: log, dialects });
  keepServing(log);
  const reload = async (): Promise<void> => {
    if (file === undefined) {
      log.warn('there is no configuration file to read again');
      return;
    }
    manager.reloading();
    try {
      const { sequence } = await lb.reload();
      log.info('configuration read again', { generation: sequence });
      manager.ready(statusOf(lb));
    } catch (error) {
      log.error('configuration not taken over, the old one stays', { error });
      manager.ready(`the new configuration was not taken over: ${reasonOf(error)}`);
    }
  };
  const reopenLogs = async (): Promise<void> => {
    try {
      await lb.reopenLogs();
      log.info('access log opened again');
    } catch (error) {
      log.error('access log not opened again, the former file stays in use', { error });
    }
  };
  const close = async (signal: string): Promise<void> => {
    log.info('draining', { signal });
    manager.stopping('connections may end');
    await lb.close();
    manager.end();
    if (pidfile !== undefined) removePidfile(pidfile, process.pid);
    log.info('ended');
  };
  if (pidfile !== undefined) await writeOrClose(pidfile, lb);
  // Who reads that it serves may send a signal at once.
  const ended = untilSignalled({ close, reload, reopenLogs }, (code) => {
    if (pidfile !== undefined) removePidfile(pidfile, process.pid);
    process.exit(code);
  });
  announce(lb, log, file);
  ready?.(lb);
  manager.ready(statusOf(lb));
  manager.watch(() => workersTurn(lb));
  return ended;
}
