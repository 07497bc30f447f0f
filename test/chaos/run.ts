// One run: a balancer in a process of its own, all kinds of backends and clients, edits, and the
// books at its end.
import type { Target } from '../fixtures/clients.ts';
import { BalancerProcess } from '../fixtures/load-programs.ts';
import type { Metrics } from '../fixtures/prometheus-text.ts';
import { type Engine, pause, Scene } from '../fixtures/scene.ts';
import { assertServedBy } from '../fixtures/serving.ts';
import { type Backends, startBackends } from './backends.ts';
import { audit, leftovers, openFilesOf, type Sums, sumsOf } from './books.ts';
import { startClients, type Tally } from './clients.ts';
import { baseConfig, editedConfig } from './edits.ts';
import { Random } from './random.ts';

export interface ChaosResult {
  readonly complaints: readonly string[];
  readonly rounds: Readonly<Record<string, number>>;
  readonly edits: number;
  readonly sums: Sums;
}

async function apply(lb: BalancerProcess, config: object): Promise<void> {
  lb.program.out.length = 0;
  lb.program.tell(`apply ${JSON.stringify(config)}`);
  await lb.program.line(/"applied"/, 20_000);
}

// One after the other until `stop`; with two readers of the program's answers none would find its
// own.
function startEdits(lb: BalancerProcess, engine: Engine, backends: Backends, random: Random) {
  let stopped = false;
  let count = 0;
  const edit = async (): Promise<void> => {
    for (; !stopped; count++) {
      await apply(lb, editedConfig(engine, backends, random));
      await pause(random.between(5, 100));
    }
    await apply(lb, baseConfig(engine, backends));
  };
  const done = edit();
  done.catch(() => {});
  return {
    stop: async (): Promise<number> => {
      stopped = true;
      await done;
      return count;
    },
  };
}

// Idle connections to backends end by their timeout, which takes a moment.
async function settle(lb: BalancerProcess, before: ReturnType<typeof openFilesOf>) {
  const from = performance.now();
  for (;;) {
    const metrics = await lb.metrics();
    const left = leftovers(metrics, openFilesOf(lb.program.pid), before);
    if (left.length === 0 || performance.now() - from > 10_000) return { metrics, left };
    await pause(100);
  }
}

const mustHappen = ['answered', 'aborted', 'own', 'timeouts', 'invalid', 'cutShort', 'refused'];

function neverHappened(sums: Sums, rounds: Tally['rounds'], kinds: number): string[] {
  const missing = [...mustHappen, 'upgrades', 'spliced'].filter((name) => !sums[name]);
  const idle =
    Object.keys(rounds).length < kinds ? [`only ${Object.keys(rounds)} had a round`] : [];
  return [...missing.map((name) => `none of this ever happened: ${name}`), ...idle];
}

const kindsOfClients = 9;

async function runIn(scene: Scene, engine: Engine, seconds: number, seed: number) {
  const random = new Random(seed);
  const backends = await startBackends(scene, random);
  const lb = await BalancerProcess.start(scene, baseConfig(engine, backends));
  const target: Target = lb.target;
  const before = openFilesOf(lb.program.pid);
  const tally: Tally = { rounds: {}, good: 0, upgrades: 0, failures: [] };
  const clients = startClients({ target, random, tally });
  const edits = startEdits(lb, engine, backends, random);
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end && !lb.program.hasExited) await pause(100);
  await clients.stop();
  const count = await edits.stop();
  const { metrics, left } = await settle(lb, before);
  assertServedBy(metrics, engine);
  const ended = await endOf(lb);
  return { tally, count, metrics, complaints: [...left, ...ended] };
}

// It ends by itself when its balancer is closed.
async function endOf(lb: BalancerProcess): Promise<string[]> {
  await lb.prove(undefined);
  lb.program.tell('close');
  const { code, signal } = await lb.program.exited;
  return code === 0 ? [] : [`the process ended with ${code ?? signal}: ${lb.program.output}`];
}

export async function runChaos(
  engine: Engine,
  seconds: number,
  seed: number,
): Promise<ChaosResult> {
  const scene = new Scene();
  let metrics: Metrics;
  let result: Awaited<ReturnType<typeof runIn>>;
  try {
    result = await runIn(scene, engine, seconds, seed);
    metrics = result.metrics;
  } finally {
    await scene.end();
  }
  const { tally, count, complaints } = result;
  const sums = sumsOf(metrics);
  return {
    complaints: [
      ...tally.failures.slice(0, 20),
      ...complaints,
      ...audit(metrics, tally),
      ...neverHappened(sums, tally.rounds, kindsOfClients),
    ],
    rounds: tally.rounds,
    edits: count,
    sums,
  };
}
