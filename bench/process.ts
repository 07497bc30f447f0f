// Child processes: started pinned, stopped by pid, none left behind.
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

// Descriptors a contender may have: two for each of 9,000 pairs and some more.
const descriptors = 20_000;

const running = new Set<ChildProcess>();

export interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly exited: Promise<void>;
}

// The helpers replace themselves by the command, so the pid is the command's own.
export function startPinned(cpu: number, command: readonly string[], logFile: string): Started {
  const limit = Math.min(descriptors, hardDescriptorLimit());
  const child = spawn(
    'prlimit',
    [`--nofile=${limit}:${limit}`, 'taskset', '-c', String(cpu), ...command],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const log = createWriteStream(logFile, { flags: 'a' });
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  const exited = track(child);
  void exited.then(() => log.end());
  if (child.pid === undefined) throw new Error(`cannot start ${command[0]}`);
  return { child, pid: child.pid, exited };
}

// Resolves when the child has gone, however it went.
export function track(child: ChildProcess): Promise<void> {
  running.add(child);
  return new Promise((resolve) => {
    const done = (): void => {
      running.delete(child);
      resolve();
    };
    child.once('error', done);
    child.once('close', done);
  });
}

export async function stop({ child, exited }: Started): Promise<void> {
  child.kill('SIGTERM');
  const gone = await Promise.race([exited.then(() => true), sleep(5000, false, { ref: false })]);
  if (gone) return;
  child.kill('SIGKILL');
  await exited;
}

// SIGTERM, because nginx's master takes its worker with it only when it is asked.
export function stopAll(): void {
  for (const child of running) child.kill('SIGTERM');
}

// Waits for a listening socket without connecting to it: a connection would make the contender try
// its backends, which are not there yet, and some would remember the failure.
export async function waitForListener(port: number, started: Started): Promise<void> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const listening = new RegExp(`^\\s*\\d+: [0-9A-F]{8}:${hex} \\S+ 0A `, 'm');
  for (let waited = 0; waited < 10_000; waited += 20) {
    if (listening.test(readFileSync('/proc/net/tcp', 'utf8'))) return;
    if (started.child.exitCode !== null || started.child.signalCode !== null) {
      throw new Error('exited before it listened');
    }
    await sleep(20);
  }
  throw new Error('did not listen within 10 s');
}

export function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter((word) => word !== '')
    .map(Number);
}

export function hardDescriptorLimit(): number {
  const line = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return line?.[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(line?.[1] ?? 1024);
}
