// Running a test program: what it prints is shown and kept, and it ends within its time.
import { spawn } from 'node:child_process';
import { root } from './project.ts';
import type { Captured } from './run.ts';

export interface ShownOptions {
  readonly timeoutMs: number;
  readonly env?: Readonly<Record<string, string>>;
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // The group has ended by itself.
  }
}

export function runShown(
  command: string,
  args: readonly string[],
  options: ShownOptions,
): Promise<Captured> {
  return new Promise((resolve) => {
    // A process group of its own, so that a timeout also ends what the program started.
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const chunks = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        chunks[stream] += text;
        process[stream].write(text);
      });
    }
    const interrupt = (): void => {
      killGroup(child.pid);
      process.exit(130);
    };
    process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
    const timer = setTimeout(() => {
      console.error(`${command} ${args.join(' ')}: stopped after ${options.timeoutMs / 1000} s`);
      killGroup(child.pid);
    }, options.timeoutMs);
    const end = (status: number): void => {
      clearTimeout(timer);
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
      resolve({ status, output: chunks.stdout + chunks.stderr, stdout: chunks.stdout });
    };
    child.once('error', (error) => {
      console.error(`${command}: ${error.message}`);
      end(127);
    });
    // What a killed child has left in the pipe still counts, hence `close` rather than `exit`.
    child.once('close', (status) => end(status ?? 1));
  });
}
