// What signals do to a running balancer.
//   SIGTERM, SIGINT  stop accepting, let connections finish, exit 0; once more: exit at once
//   SIGHUP           read the configuration file again
//   SIGUSR1          open the access log again, after it was renamed
import { signalExit } from './failure.ts';

export interface Running {
  // Resolves when nothing is left.
  close(signal: keyof typeof signalExit): Promise<void>;
  // Never rejects.
  reload?(): Promise<void>;
  // Never rejects.
  reopenLogs?(): Promise<void>;
}

// The part of `process` that is needed, so that tests can do without signals.
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  off(signal: NodeJS.Signals, listener: () => void): unknown;
}

// Resolves with the exit code. `exitNow` ends the process.
export function untilSignalled(
  running: Running,
  exitNow: (code: number) => void,
  source: SignalSource = process,
): Promise<number> {
  return new Promise((resolve, reject) => {
    let closing = false;
    const end = (signal: keyof typeof signalExit) => (): void => {
      if (closing) exitNow(signalExit[signal]);
      else running.close(signal).then(() => resolve(0), reject);
      closing = true;
    };
    source.on('SIGTERM', end('SIGTERM'));
    source.on('SIGINT', end('SIGINT'));
    // Also without a file to read: the signal would end the process otherwise.
    source.on('SIGHUP', () => {
      if (!closing) void running.reload?.();
    });
    // Node.js would start its debugger for it. While closing, lines are still written.
    source.on('SIGUSR1', () => void running.reopenLogs?.());
  });
}
