// Micro benchmarks of the data plane's parts: a native program each, without sockets and peers.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

export const microNames = ['route'] as const;
export type MicroName = (typeof microNames)[number];

interface RouteFigures {
  readonly any_ns: number;
  readonly one_ns: number;
  readonly all_ns: number;
  readonly over_one_ns: number;
}

// Nanoseconds that 4,096 routes may cost more than one.
const routeLimitNs = 100;

function run(command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr}`);
}

function route(root: string): void {
  const figures = JSON.parse(run(join(root, 'build/bench/micro/route'), [])) as RouteFigures;
  const { any_ns, one_ns, all_ns, over_one_ns } = figures;
  // A request that finds no route makes the figures NaN, which meets no limit.
  const met = over_one_ns <= routeLimitNs;
  console.log(
    '\nroute: finding the route of a request by host and path\n  ns: median of 21 rounds',
  );
  console.log(`  a route for everything   ${any_ns.toFixed(1)}`);
  console.log(`  1 route                  ${one_ns.toFixed(1)}`);
  console.log(`  4,096 routes             ${all_ns.toFixed(1)}`);
  const verdict = `limit at most ${routeLimitNs}   ${met ? 'met' : 'missed'}`;
  console.log(`  4,096 routes over 1      ${over_one_ns.toFixed(1)}   ${verdict}`);
}

// Throws when one does not build or run.
export function runMicro(root: string, names: readonly MicroName[]): void {
  if (names.length === 0) return;
  run('make', ['-C', join(root, 'bench/micro')]);
  for (const name of names) ({ route })[name](root);
}
