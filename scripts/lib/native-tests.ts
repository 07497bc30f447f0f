// The native test programs: which there are, how they are built, what their output must say.
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { inRoot, readText } from './project.ts';
import {
  type Counts,
  countBroken,
  countDoctest,
  countSimulator,
  one,
  replayOf,
  sum,
} from './results.ts';
import { type Captured, capture } from './run.ts';
import { runShown } from './run-shown.ts';

export interface NativeTest {
  readonly name: string;
  readonly run: () => Promise<Counts>;
}

type Variant = 'asan' | 'tsan' | 'plain';
type Simulator = 'io_sim' | 'proxy_sim' | 'http_sim';
type Seeded = Simulator | 'http_fuzz';

const simulators: readonly Simulator[] = ['io_sim', 'proxy_sim', 'http_sim'];

// More seeds where a seed is cheap.
const seeds = {
  io_sim: { plain: 2500, asan: 300 },
  proxy_sim: { plain: 2500, asan: 300 },
  http_sim: { plain: 2000, asan: 500 },
} as const;
const fuzzSeeds = { plain: 8000, asan: 2000 } as const;
const brokenSeeds = 300;
const repeatedSeeds = 40;

// Faults built into the code under test on purpose, and a simulator that must find each.
const broken: readonly (readonly [name: string, simulator: Simulator])[] = [
  ['leak_buffer', 'io_sim'],
  ['leak_buffer', 'proxy_sim'],
  ['leak_buffer', 'http_sim'],
  ['lose_starved', 'io_sim'],
  ['accept_stale', 'proxy_sim'],
];

const minutes = (count: number): number => count * 60_000;

const sanitizers = {
  ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
  TSAN_OPTIONS: 'halt_on_error=0:second_deadlock_stack=1',
};

async function build(target: string, variant: Variant, fault = ''): Promise<string | undefined> {
  const jobs = `-j${availableParallelism()}`;
  const variables = [`VARIANT=${variant}`, `BREAK=${fault}`];
  const args = ['-C', 'test/native', jobs, '--quiet', ...variables, target];
  const { status } = await runShown('make', args, { timeoutMs: minutes(15) });
  const folder = fault === '' ? variant : `${variant}-${fault}`;
  return status === 0 ? inRoot(`build/native/${folder}/${target}`) : undefined;
}

// Thread sanitizer's fixed memory layout and a randomised one may collide.
function launch(program: string, args: readonly string[], timeoutMs: number): Promise<Captured> {
  const fixed = capture('setarch', ['-R', 'true']).status === 0;
  const command: readonly [string, ...string[]] = fixed
    ? ['setarch', '-R', program, ...args]
    : [program, ...args];
  return runShown(command[0], command.slice(1), { timeoutMs, env: sanitizers });
}

async function unitTests(variant: Variant): Promise<Counts> {
  const program = await build('native_tests', variant);
  if (program === undefined) return one(false);
  const { output, status } = await launch(program, ['--no-colors=true'], minutes(5));
  return countDoctest(output, status);
}

async function simulate(
  simulator: Seeded,
  variant: 'plain' | 'asan',
  args: readonly string[],
  count?: number,
): Promise<Counts> {
  const program = await build(simulator, variant);
  if (program === undefined) return one(false);
  const { output, status } = await launch(program, args, minutes(6));
  return countSimulator(output, status, count);
}

// A seed tells the whole story: two runs of the same seeds do the same.
async function simulateTwice(simulator: Simulator): Promise<Counts> {
  const program = await build(simulator, 'plain');
  if (program === undefined) return one(false);
  const args = ['--seeds', `1..${repeatedSeeds}`, '--hash'];
  const hashes = [1, 2].map(() => {
    const { stdout } = capture(program, args);
    return stdout.split('\n').filter((line) => line.includes('hash'));
  });
  const same = hashes[0]?.length !== 0 && hashes[0]?.join() === hashes[1]?.join();
  console.log(`${simulator}: two runs of ${repeatedSeeds} seeds ${same ? 'agree' : 'DIFFER'}`);
  return one(same);
}

async function simulateBroken(simulator: Simulator, fault: string): Promise<Counts> {
  const program = await build(simulator, 'plain', fault);
  if (program === undefined) return one(false);
  const { output, status } = capture(program, ['--seeds', `1..${brokenSeeds}`]);
  const counts = countBroken(output, status);
  const verdict = counts.passed === 1 ? 'found, as it must be' : 'NOT FOUND';
  console.log(`${simulator} with ${fault}: ${verdict} (exit ${status})`);
  // What it says replays the failure must fail as well.
  const [command = '', ...args] = replayOf(output) ?? [];
  const replayed = command !== '' && capture(command, args).status === 1;
  console.log(`${command} ${args.join(' ')}: ${replayed ? 'fails too' : 'DOES NOT REPLAY IT'}`);
  if (counts.failed > 0 || !replayed) console.log(output.slice(-2000));
  return sum([counts, one(replayed)]);
}

export function nativeTests(): NativeTest[] {
  return (['asan', 'tsan'] as const).map((variant) => ({
    name: `native_tests ${variant}`,
    run: () => unitTests(variant),
  }));
}

function testsOf(simulator: Simulator): NativeTest[] {
  // Seeds that found something once, if any is kept.
  const kept = `test/sim/${simulator.replace('sim', '').replace('io_', '')}seeds.txt`;
  const seeded = (['plain', 'asan'] as const).map((variant) => {
    const count = seeds[simulator][variant];
    const args = ['--seeds', `1..${count}`, '--require-faults'];
    return {
      name: `${simulator} ${variant}, ${count} seeds`,
      run: () => simulate(simulator, variant, args, count),
    };
  });
  const keptRun = {
    name: `${simulator} asan, ${kept}`,
    run: () => simulate(simulator, 'asan', ['--file', inRoot(kept)]),
  };
  return [
    ...seeded,
    ...(existsSync(inRoot(kept)) && /^\d/m.test(readText(kept)) ? [keptRun] : []),
    { name: `${simulator} repeats itself`, run: () => simulateTwice(simulator) },
  ];
}

export function simulatorTests(): NativeTest[] {
  const faulty = broken.map(([fault, simulator]) => ({
    name: `${simulator} must find ${fault}`,
    run: () => simulateBroken(simulator, fault),
  }));
  const day = {
    name: 'proxy_sim, 24 hours of turns in virtual time',
    run: () => simulate('proxy_sim', 'asan', ['--day']),
  };
  return [...simulators.flatMap(testsOf), day, ...faulty];
}

// The parsers on messages made from seeds; every reason to refuse must have been met.
export function fuzzTests(): NativeTest[] {
  return (['plain', 'asan'] as const).map((variant) => {
    const count = fuzzSeeds[variant];
    const args = ['--seeds', `1..${count}`, '--require-all'];
    return {
      name: `http_fuzz ${variant}, ${count} seeds`,
      run: () => simulate('http_fuzz', variant, args, count),
    };
  });
}
