// Running other programs, and saying so.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { inRoot, root } from './project.ts';

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface Captured {
  readonly status: number;
  readonly output: string; // stdout, then stderr
  readonly stdout: string;
}

// A failed step whose message is all that the reader needs; anything else keeps its stack.
export class Failure extends Error {}

function environment(extra: RunOptions['env']): NodeJS.ProcessEnv {
  return { ...process.env, ...extra };
}

export function run(command: string, args: readonly string[], options: RunOptions = {}): void {
  const result = spawnSync(command, args, {
    cwd: options.cwd ?? root,
    env: environment(options.env),
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (result.error) throw new Failure(`${command}: ${result.error.message}`);
  if (result.status !== 0) {
    throw new Failure(`${command} ${args.join(' ')}: ${result.signal ?? `exit ${result.status}`}`);
  }
}

export function capture(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Captured {
  const result = spawnSync(command, args, {
    cwd: options.cwd ?? root,
    env: environment(options.env),
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (result.error) return { status: 127, output: result.error.message, stdout: '' };
  return {
    status: result.status ?? 1,
    output: result.stdout + result.stderr,
    stdout: result.stdout,
  };
}

// The path of a program on PATH, or nothing.
export function which(program: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

// A program of a development dependency.
export const tool = (name: string): string => inRoot(`node_modules/.bin/${name}`);

export const seconds = (since: number): string =>
  `${((performance.now() - since) / 1000).toFixed(1)} s`;

// Runs a script's body: a Failure is printed without a stack.
export async function main(body: () => void | Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    console.error(error instanceof Failure ? `error: ${error.message}` : error);
    process.exitCode = 1;
  }
}
