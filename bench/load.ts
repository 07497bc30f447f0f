// Runs the load program (bench/load) and reads its line of JSON.
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { track } from './process.ts';

export interface LoadResult {
  readonly work: number; // round trips
  readonly bytes: number; // of answers
  readonly seconds: number;
  readonly errors: number;
  readonly first_error: string;
  readonly p50_us: number;
  readonly p99_us: number;
  readonly p999_us: number;
  readonly watched_cpu_seconds: number; // the balancer's, all threads
  readonly watched_cpu_busy: number; // share of its CPU that was not idle, whoever used it
  readonly load_busy: number; // share of the loop's turns that found something to do
}

export interface LoadRequest {
  readonly mode: 'roundtrip' | 'open' | 'bulk' | 'connect' | 'idle' | 'serve';
  readonly http: boolean;
  readonly target: number;
  readonly origins: readonly string[]; // ports or paths of Unix sockets
  readonly connections: number;
  readonly seconds: number;
  readonly warmup: number;
  readonly rate?: number;
  readonly cpu: number;
  readonly watchPid: number;
  readonly watchCpu: number;
}

const program = (root: string): string => join(root, 'build/bench/load');

export function buildLoad(root: string): void {
  const { status, stderr } = spawnSync('make', ['-C', join(root, 'bench/load')], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`bench/load does not build\n${stderr}`);
}

// `whileHeld` is for idle loads: called when the connections are there; they go when it resolves.
// For origins only: called when they listen; they go when it resolves and the figures are taken.
export async function runLoad(
  root: string,
  request: LoadRequest,
  whileHeld?: (pairs: number) => Promise<void>,
): Promise<LoadResult> {
  const options = {
    target: `127.0.0.1:${request.target}`,
    origins: request.origins.join(','),
    connections: request.connections,
    seconds: request.seconds,
    warmup: request.warmup,
    cpu: request.cpu,
    watch: request.watchPid,
    'watch-cpu': request.watchCpu,
    ...(request.rate === undefined ? {} : { rate: request.rate }),
    ...(request.http ? { protocol: 'http', forwarded: 1 } : {}),
  };
  const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(program(root), [request.mode, ...words], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const gone = track(child);
  let complaint = '';
  child.stderr.on('data', (text) => {
    complaint += text;
  });
  let last = '';
  for await (const line of createInterface({ input: child.stdout })) {
    const ready = /^\{"ready":(\d+)\}$/.exec(line);
    if (ready === null) last = line;
    else {
      await whileHeld?.(Number(ready[1]));
      child.stdin.end('done\n');
    }
  }
  await gone;
  if (last === '') throw new Error(`load: ${complaint.trim() || `ended with ${child.exitCode}`}`);
  return JSON.parse(last) as LoadResult;
}
