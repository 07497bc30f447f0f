// What systemd is told of the service (sd_notify(3)): when it serves, reloads and stops, and that
// its workers turn. Without NOTIFY_SOCKET in the environment nobody wants to know.
import { loadAddon } from '../addon/binding.ts';
import type { Logger } from '../log.ts';

export interface ServiceManager {
  // Traffic can come. `status`: a line that `systemctl status` shows.
  ready(status: string): void;
  // The configuration is read again; `ready` ends it.
  reloading(): void;
  stopping(status: string): void;
  // From now on, in half the time that the manager waits for it: a sign of life while `isAlive`.
  watch(isAlive: () => boolean): void;
  // No more signs of life.
  end(): void;
}

export const noServiceManager: ServiceManager = {
  ready() {},
  reloading() {},
  stopping() {},
  watch() {},
  end() {},
};

// Milliseconds between signs of life; undefined: none are wanted, or of another process.
export function watchdogInterval(env: NodeJS.ProcessEnv, pid: number): number | undefined {
  const microseconds = Number(env['WATCHDOG_USEC']);
  const meant = env['WATCHDOG_PID'];
  if (!(microseconds > 0) || (meant !== undefined && Number(meant) !== pid)) return undefined;
  return Math.max(1, Math.floor(microseconds / 2000));
}

export interface Manner {
  // Throws when nobody receives.
  readonly send: (text: string) => void;
  readonly log: Logger;
  readonly watchdogMs: number | undefined;
  // CLOCK_MONOTONIC in nanoseconds.
  readonly monotonic?: () => bigint;
}

const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, ' ');

export function notifier({ send, log, watchdogMs, monotonic }: Manner): ServiceManager {
  const now = monotonic ?? process.hrtime.bigint;
  let timer: NodeJS.Timeout | undefined;
  // What it says is for others: that it cannot be said must not end the balancer.
  const tell = (...lines: readonly string[]): void => {
    try {
      send(lines.map(oneLine).join('\n'));
    } catch (error) {
      log.warn('the service manager was not told', { state: lines[0], error });
    }
  };
  return {
    ready: (status) => tell('READY=1', `STATUS=${status}`),
    reloading: () => tell('RELOADING=1', `MONOTONIC_USEC=${now() / 1000n}`),
    stopping: (status) => tell('STOPPING=1', `STATUS=${status}`),
    watch(isAlive) {
      if (watchdogMs === undefined) return;
      const beat = (): void => {
        if (isAlive()) tell('WATCHDOG=1');
      };
      beat();
      timer = setInterval(beat, watchdogMs);
      timer.unref();
    },
    end: () => clearInterval(timer),
  };
}

// Throws as `loadAddon` does.
export function serviceManager(log: Logger, env = process.env): ServiceManager {
  const path = env['NOTIFY_SOCKET'];
  if (path === undefined || path === '') return noServiceManager;
  const addon = loadAddon();
  return notifier({
    send: (text) => addon.sendDatagram(path, text),
    log,
    watchdogMs: watchdogInterval(env, process.pid),
  });
}
