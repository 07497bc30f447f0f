// Compares sluice with HAProxy and nginx by the CPU time a unit of work costs the balancer:
// `npm run bench`. One contender runs at a time, in rounds, so that the moods of the machine meet
// all of them. See README.md for the method.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { buildLoad, type LoadResult, runLoad } from './load.ts';
import { balancerCpu, loadCpu, machineNote, relaunch } from './machine.ts';
import { readMemory } from './memory.ts';
import { runMicro } from './micro.ts';
import { type Options, parseOptions, UsageError } from './options.ts';
import {
  type Contender,
  type ContenderName,
  engineOf,
  missingFor,
  startContender,
  versionOf,
} from './peers.ts';
import { hardDescriptorLimit, stopAll } from './process.ts';
import { printRow, writeReport } from './report.ts';
import { type Row, rowsNamed, type Sample } from './rows.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const origins = [9801, 9802, 9803];
// Every start gets a port of its own: a ring may hold the earlier one for a moment after its
// process has gone.
const firstPort = 9810;
const portCount = 900;
const adminPort = 9800;
// Time for a balancer to give back what the burst of connecting took.
const settleMs = 1000;

class Comparison {
  readonly #directory = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  readonly #options: Options;
  #starts = 0;
  failures = 0;

  constructor(options: Options) {
    this.#options = options;
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
    const port = firstPort + (this.#starts++ % portCount);
    let contender: Contender | undefined;
    try {
      contender = await startContender(name, {
        root,
        directory: this.#directory,
        cpu: balancerCpu,
        port,
        adminPort,
        origins,
        bodies: row.bodies,
      });
      const sample = await this.#measure(row, name, round, contender.pid, port);
      if (sample.load.work > 0 && sample.load.errors === 0) return sample;
      const { work, errors, first_error } = sample.load;
      throw new Error(`${name}: ${work} round trips, ${errors} errors (${first_error})`);
    } catch (error) {
      this.failures++;
      console.error(`${row.name}, round ${round + 1}: ${messageOf(error)}`);
      return undefined;
    } finally {
      await contender?.stop();
    }
  }

  async #measure(
    row: Row,
    contender: ContenderName,
    round: number,
    pid: number,
    target: number,
  ): Promise<Sample> {
    const wanted = (this.#options.small ? row.smallConnections : undefined) ?? row.load.connections;
    const request = {
      ...row.load,
      connections: Math.min(wanted, Math.floor((hardDescriptorLimit() - 2000) / 2)),
      seconds: row.load.mode === 'idle' ? row.seconds : (this.#options.seconds ?? row.seconds),
      target,
      origins,
      cpu: loadCpu,
      watchPid: pid,
      watchCpu: balancerCpu,
    };
    if (row.load.mode !== 'idle') {
      const load = await runLoad(root, request);
      return { contender, round, value: row.value(load), ...sharesOf(load), load };
    }
    const before = readMemory(pid);
    let after = before;
    const load = await runLoad(root, request, async () => {
      await sleep(settleMs);
      after = readMemory(pid);
    });
    const memory = {
      engine: (after.engineBytes - before.engineBytes) / request.connections,
      process: (after.processBytes - before.processBytes) / request.connections,
    };
    const value = engineOf(contender) === undefined ? memory.process : memory.engine;
    return { contender, round, value, ...sharesOf(load), load, memory };
  }
}

function sharesOf(load: LoadResult): { balancerShare: number; othersShare: number } {
  const balancerShare = load.watched_cpu_seconds / load.seconds;
  return { balancerShare, othersShare: Math.max(0, load.watched_cpu_busy - balancerShare) };
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

// True when everything is there.
function checkInstalled(options: Options): boolean {
  const { packages, build } = missingFor(options.contenders, root);
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
