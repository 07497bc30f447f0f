// Compares sluice with HAProxy and nginx by the CPU time a unit of work costs the balancer:
// `npm run bench`. One contender runs at a time, in rounds, so that the moods of the machine meet
// all of them. See README.md for the method.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildLoad } from './load.ts';
import { machineNote, relaunch } from './machine.ts';
import { Measurements } from './measure.ts';
import { runMicro } from './micro.ts';
import { type Options, parseOptions, UsageError } from './options.ts';
import { type ContenderName, missingFor, versionOf } from './peers.ts';
import { stopAll } from './process.ts';
import { printRow, writeReport } from './report.ts';
import type { Row, Sample } from './row.ts';
import { rowsNamed } from './rows.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
class Comparison {
  readonly #directory = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  readonly #options: Options;
  readonly #measurements: Measurements;
  failures = 0;

  constructor(options: Options) {
    this.#options = options;
    this.#measurements = new Measurements(root, this.#directory, options);
  }

  async row(row: Row): Promise<Sample[]> {
    const samples: Sample[] = [];
    const rounds = this.#options.rounds ?? row.rounds;
    for (let round = 0; round < rounds; round++) {
      // Another contender begins each round: what follows a start is not always the same.
      const { contenders } = this.#options;
      for (let i = 0; i < contenders.length; i++) {
        const name = contenders[(i + round) % contenders.length] as ContenderName;
        const sample = await this.#sample(row, name, round);
        if (sample !== undefined) samples.push(sample);
      }
    }
    return samples;
  }

  close(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #sample(row: Row, name: ContenderName, round: number): Promise<Sample | undefined> {
    try {
      return await this.#measurements.sample(row, name, round);
    } catch (error) {
      this.failures++;
      console.error(`${row.name}, round ${round + 1}: ${messageOf(error)}`);
      return undefined;
    }
  }
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

// True when everything is there.
function checkInstalled(options: Options): boolean {
  const { packages, build } = missingFor(
    options.contenders,
    options.rows.includes('httpwrk'),
    root,
  );
  if (packages.length > 0) {
    console.error(`missing; on Debian: apt-get install ${packages.join(' ')}`);
  }
  if (build) console.error('missing: dist/main.js; npm run compile');
  return packages.length === 0 && !build;
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options.rows.length === 0) {
    console.log(machineNote());
    runMicro(root, options.micro);
    return 0;
  }
  if (!checkInstalled(options)) return 2;
  const status = await relaunch(options);
  if (status !== undefined) return status;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => process.exit(130));
  }
  const machine = machineNote();
  console.log(machine);
  runMicro(root, options.micro);
  buildLoad(root);
  const comparison = new Comparison(options);
  process.once('exit', () => {
    stopAll();
    comparison.close();
  });
  const rows: { row: Row; samples: Sample[] }[] = [];
  for (const row of rowsNamed(options.rows)) {
    const samples = await comparison.row(row);
    rows.push({ row, samples });
    printRow(row, samples);
  }
  const versions = Object.fromEntries(
    options.contenders.map((name) => [name, versionOf(name, root)]),
  );
  console.log(
    `\n${Object.entries(versions)
      .map((entry) => entry.join(' '))
      .join(', ')}`,
  );
  console.log(`written to ${writeReport(root, { machine, small: options.small, versions, rows })}`);
  return comparison.failures === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
