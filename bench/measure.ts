// One sample: a contender freshly started, the row's load, and what it cost.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LoadRequest, type LoadResult, runLoad } from './load.ts';
import { balancerCpu, loadCpu } from './machine.ts';
import { readMemory } from './memory.ts';
import { type ContenderName, engineOf, startContender, workerCost } from './peers.ts';
import { hardDescriptorLimit } from './process.ts';
import type { Row, Sample } from './row.ts';
import { runWrk, type WrkResult } from './wrk.ts';

const ports = ['9801', '9802', '9803'];
// Every start gets a port of its own: a ring may hold the earlier one for a moment after its
// process has gone.
const firstPort = 9810;
const portCount = 900;
const adminPort = 9800;

export interface Pace {
  readonly small: boolean;
  readonly seconds: number | undefined; // undefined: each row's own
}

// In milliseconds: after a start, and for a balancer to give back what a burst of connecting took.
const settle = { start: 300, held: 1000 };
const settleSmall = { start: 20, held: 100 };
const warmup = 0.5;
const warmupSmall = 0.1;
// wrk goes on after the measured seconds, so that these do not see its end.
const wrkBeyond = 0.5;

export class Measurements {
  readonly #root: string;
  readonly #directory: string;
  readonly #pace: Pace;
  #starts = 0;

  constructor(root: string, directory: string, pace: Pace) {
    this.#root = root;
    this.#directory = directory;
    this.#pace = pace;
  }

  // Rejects when something did not start or any request failed.
  async sample(row: Row, contender: ContenderName, round: number): Promise<Sample> {
    if (row.logs === true) return await this.#logging(row, contender, round);
    if (row.unixOrigins !== true) return await this.#one(row, contender, round, ports);
    const paths = ports.map((port) => join(this.#directory, `origin-${port}`));
    const order = round % 2 === 0 ? [ports, paths] : [paths, ports];
    const taken = new Map<readonly string[], Sample>();
    for (const origins of order) {
      taken.set(origins, await this.#one(row, contender, round, origins));
    }
    const [base, own] = [taken.get(ports), taken.get(paths)] as [Sample, Sample];
    return {
      ...own,
      baseline: base.value,
      balancerShare: Math.min(own.balancerShare, base.balancerShare),
      othersShare: Math.max(own.othersShare, base.othersShare),
    };
  }

  // With a log and without, in alternating order.
  async #logging(row: Row, contender: ContenderName, round: number): Promise<Sample> {
    const taken = new Map<boolean, Sample>();
    for (const logs of round % 2 === 0 ? [false, true] : [true, false]) {
      taken.set(logs, await this.#one(row, contender, round, ports, logs));
    }
    const [silent, own] = [taken.get(false), taken.get(true)] as [Sample, Sample];
    const costs = {
      logging: own.workerCosts?.logging ?? 0,
      silent: silent.workerCosts?.silent ?? 0,
    };
    return { ...own, baseline: silent.value, workerCosts: costs };
  }

  async #one(
    row: Row,
    name: ContenderName,
    round: number,
    origins: readonly string[],
    logs = false,
  ): Promise<Sample> {
    const port = firstPort + (this.#starts++ % portCount);
    const contender = await startContender(name, {
      root: this.#root,
      directory: this.#directory,
      cpu: balancerCpu,
      port,
      adminPort,
      http: row.http,
      origins,
      bodies: row.bodies,
      settleMs: this.#times.start,
      logs,
    });
    try {
      const request = this.#request(row, contender.pid, port, origins);
      const taken = await this.#run(row, name, request);
      const { work, errors, first_error } = taken.load;
      if (work === 0 || errors > 0) {
        throw new Error(`${name}: ${work} answers, ${errors} errors (${first_error})`);
      }
      const sample = { contender: name, round, value: row.value(taken.load), ...taken };
      if (row.logs !== true || engineOf(name) === undefined) return sample;
      const cost = await workerCost(contender.pid, adminPort);
      return { ...sample, workerCosts: { logging: cost, silent: cost } };
    } finally {
      await contender.stop();
    }
  }

  get #times(): typeof settle {
    return this.#pace.small ? settleSmall : settle;
  }

  #request(row: Row, watchPid: number, target: number, origins: readonly string[]): LoadRequest {
    const wanted = (this.#pace.small ? row.smallConnections : undefined) ?? row.load.connections;
    return {
      ...row.load,
      http: row.http,
      connections: Math.min(wanted, Math.floor((hardDescriptorLimit() - 2000) / 2)),
      seconds: row.load.mode === 'idle' ? row.seconds : (this.#pace.seconds ?? row.seconds),
      warmup: this.#pace.small ? warmupSmall : warmup,
      target,
      origins,
      cpu: loadCpu,
      watchPid,
      watchCpu: balancerCpu,
    };
  }

  async #run(
    row: Row,
    name: ContenderName,
    request: LoadRequest,
  ): Promise<Omit<Sample, 'contender' | 'round' | 'value'> & { value?: number }> {
    if (row.load.mode === 'idle') return await this.#runIdle(name, request);
    const load =
      row.wrk === true ? await this.#runWrk(request) : await runLoad(this.#root, request);
    return { ...sharesOf(load), load };
  }

  async #runIdle(name: ContenderName, request: LoadRequest) {
    const before = readMemory(request.watchPid);
    let after = before;
    const load = await runLoad(this.#root, request, async () => {
      await sleep(this.#times.held);
      after = readMemory(request.watchPid);
    });
    const memory = {
      engine: (after.engineBytes - before.engineBytes) / request.connections,
      process: (after.processBytes - before.processBytes) / request.connections,
    };
    const value = engineOf(name) === undefined ? memory.process : memory.engine;
    return { ...sharesOf(load), load, memory, value };
  }

  // The origins count the work and read the balancer's clock, wrk knows latencies and failures.
  async #runWrk(request: LoadRequest): Promise<LoadResult> {
    const { target, connections, cpu, warmup, seconds } = request;
    const wanted = { port: target, connections, cpu, seconds: warmup + seconds + wrkBeyond };
    let wrk: WrkResult | undefined;
    const load = await runLoad(this.#root, request, async () => {
      wrk = await runWrk(wanted);
    });
    if (wrk === undefined || wrk.requests === 0 || wrk.failures !== '') {
      throw new Error(`wrk: ${wrk?.requests ?? 0} requests; ${wrk?.failures}`);
    }
    return { ...load, p50_us: wrk.p50_us, p99_us: wrk.p99_us };
  }
}

function sharesOf(load: LoadResult): { balancerShare: number; othersShare: number } {
  const balancerShare = load.watched_cpu_seconds / load.seconds;
  return { balancerShare, othersShare: Math.max(0, load.watched_cpu_busy - balancerShare) };
}
