// Everything that is tested, in one command: `npm test`. Ends with a line `N passed, N failed`.
//   --only check,native,fuzz,sim,vitest,bench   runs some steps only
//   --list                                 names the steps
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fuzzTests, nativeTests, simulatorTests } from './lib/native-tests.ts';
import { installPackages } from './lib/packages.ts';
import { inRoot } from './lib/project.ts';
import {
  type Counts,
  closingLine,
  countChecks,
  countVitest,
  one,
  sum,
  withinTime,
} from './lib/results.ts';
import { Failure, main, run, seconds, tool } from './lib/run.ts';
import { runShown } from './lib/run-shown.ts';

interface Step {
  readonly group: string;
  readonly name: string;
  readonly run: () => Promise<Counts>;
}

async function check(): Promise<Counts> {
  const { output, status } = await runShown(tool('tsx'), ['scripts/check.ts'], {
    timeoutMs: 300_000,
  });
  return countChecks(output, status);
}

async function vitest(): Promise<Counts> {
  const report = inRoot('build/vitest.json');
  rmSync(report, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const { status } = await runShown(tool('vitest'), ['run', ...reporters], {
    timeoutMs: 2_400_000,
    env: { NO_COLOR: '1' },
  });
  return existsSync(report) ? countVitest(readFileSync(report, 'utf8'), status) : one(false);
}

// The benchmark in its small mode: it must run, carry every request, and be short enough to be run
// often; its numbers say nothing.
async function bench(): Promise<Counts> {
  const args = ['bench/compare.ts', '--small'];
  const start = performance.now();
  const { status } = await runShown(tool('tsx'), args, { timeoutMs: 300_000 });
  const { line, counts } = withinTime('bench small', performance.now() - start, 120_000);
  console.log(line);
  return sum([one(status === 0), counts]);
}

function steps(): Step[] {
  return [
    { group: 'check', name: 'check', run: check },
    ...nativeTests().map((test) => ({ group: 'native', ...test })),
    ...fuzzTests().map((test) => ({ group: 'fuzz', ...test })),
    ...simulatorTests().map((test) => ({ group: 'sim', ...test })),
    { group: 'vitest', name: 'vitest', run: vitest },
    { group: 'bench', name: 'bench small', run: bench },
  ];
}

function chosenSteps(only: string | undefined): Step[] {
  const all = steps();
  if (only === undefined) return all;
  const groups = only.split(',');
  const known = new Set(all.map(({ group }) => group));
  const unknown = groups.filter((group) => !known.has(group));
  if (unknown.length > 0) {
    throw new Failure(`no such step: ${unknown.join(', ')} (there are ${[...known].join(', ')})`);
  }
  return all.filter(({ group }) => groups.includes(group));
}

async function runSteps(chosen: readonly Step[]): Promise<Counts> {
  const lines: string[] = [];
  const results: Counts[] = [];
  for (const { name, run: body } of chosen) {
    console.log(`\n== ${name}`);
    const start = performance.now();
    const counts = await body();
    results.push(counts);
    const line = `${name}: ${closingLine(counts)} (${seconds(start)})`;
    lines.push(line);
    console.log(line);
  }
  console.log(`\n== summary\n${lines.join('\n')}`);
  return sum(results);
}

const { values } = parseArgs({
  options: { only: { type: 'string' }, list: { type: 'boolean', default: false } },
});

await main(async () => {
  const chosen = chosenSteps(values.only);
  if (values.list) {
    for (const { group, name } of chosen) console.log(`${group}: ${name}`);
    return;
  }
  const start = performance.now();
  installPackages();
  if (chosen.some(({ group }) => group === 'vitest' || group === 'bench')) {
    run(tool('tsx'), ['scripts/build.ts']);
  }
  const counts = await runSteps(chosen);
  console.log(`took ${seconds(start)}`);
  console.log(closingLine(counts));
  process.exitCode = counts.failed > 0 ? 1 : 0;
});
