// Debian's wrk as the client, and what it says about its requests.
import { spawn } from 'node:child_process';
import { hosts } from './peer-configs.ts';
import { track } from './process.ts';

export interface WrkResult {
  readonly failures: string; // empty when every request was answered well
  readonly requests: number;
  readonly p50_us: number;
  readonly p99_us: number;
}

// wrk counts in whole seconds.
export async function runWrk(request: {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  readonly cpu: number;
}): Promise<WrkResult> {
  const seconds = Math.ceil(request.seconds);
  const child = spawn(
    'taskset',
    [
      ...['-c', String(request.cpu), 'wrk', '--latency', '-t', '1', '-H', `Host: ${hosts[50]}`],
      ...['-c', String(request.connections), '-d', `${seconds}s`],
      `http://127.0.0.1:${request.port}/100/0`,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text;
    });
  }
  await track(child);
  if (child.exitCode !== 0) throw new Error(`wrk: ${output.trim() || 'did not start'}`);
  return parseWrk(output);
}

const micros: Readonly<Record<string, number>> = { us: 1, ms: 1e3, s: 1e6, m: 60e6 };

export function parseWrk(output: string): WrkResult {
  const quantile = (percent: number): number => {
    const found = new RegExp(`^\\s+${percent}%\\s+([\\d.]+)(us|ms|s|m)$`, 'm').exec(output);
    return Number(found?.[1] ?? Number.NaN) * (micros[found?.[2] ?? ''] ?? Number.NaN);
  };
  const failures = [/^\s*Non-2xx or 3xx responses: \d+/m, /^\s*Socket errors: .*/m]
    .map((line) => line.exec(output)?.[0].trim() ?? '')
    .filter((text) => text !== '');
  return {
    failures: failures.join('; '),
    requests: Number(/^\s*(\d+) requests in /m.exec(output)?.[1] ?? 0),
    p50_us: quantile(50),
    p99_us: quantile(99),
  };
}
