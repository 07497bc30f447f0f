// What the control plane costs: how long a start takes, what a thousand backends in a file take to
// be loaded and published, and the memory of the process that checks them. Time in which the
// process had work and others had the processors does not count; the rest is wall time, of the best
// attempt.
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import type { Target } from '../fixtures/clients.ts';
import { get } from '../fixtures/http-clients.ts';
import { freePorts } from '../fixtures/load-programs.ts';
import { cpuSeconds, totalResidentBytes, waitedSeconds } from '../fixtures/process-facts.ts';
import {
  buildOnce,
  fetchAdmin,
  type Program,
  startHttpProcess,
  startRun,
  targetOf,
} from '../fixtures/programs.ts';
import { type Engine, forEachEngine, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(buildOnce);

const attemptsMax = 8;
const startMsMax = 300;
const publishMsMax = 200;
const residentMiBMax = 120;
// A machine may be slower or busier by so much; the verdict that is printed has no margin.
const margin = 1.3;
const backends = 1000;
const settleMs = 5000;

interface Attempt {
  // Without the time that the process waited for a processor.
  readonly value: number;
  readonly wallMs: number;
  readonly cpuMs: number;
}

// Begins where the process has used and waited as much as it has now; undefined: it begins later.
function stopwatch(before?: Program): (program: Program) => Attempt {
  const waited = before === undefined ? 0 : waitedSeconds(before.pid);
  const cpu = before === undefined ? 0 : cpuSeconds(before.pid);
  const began = performance.now();
  return ({ pid }) => {
    const wallMs = performance.now() - began;
    const value = wallMs - (waitedSeconds(pid) - waited) * 1000;
    return { value, wallMs, cpuMs: (cpuSeconds(pid) - cpu) * 1000 };
  };
}

// The least of the values; one within the limit ends the attempts.
async function best(what: string, limit: number, attempt: () => Promise<Attempt>): Promise<number> {
  const attempts: Attempt[] = [];
  const least = (): number => Math.min(...attempts.map(({ value }) => value));
  while (attempts.length < attemptsMax && !(attempts.length > 0 && least() < limit)) {
    attempts.push(await attempt());
  }
  const all = attempts.map(
    ({ value, wallMs, cpuMs }) =>
      `${value.toFixed(0)} (wall ${wallMs.toFixed(0)}, CPU ${cpuMs.toFixed(0)})`,
  );
  const verdict = least() < limit ? 'met' : 'missed';
  console.log(`${what}: ${least().toFixed(0)} ms, limit ${limit}: ${verdict}; ${all.join(', ')}`);
  return least();
}

// Ends the program without waiting for its drain.
async function end(program: Program): Promise<void> {
  program.child.kill('SIGTERM');
  program.child.kill('SIGTERM');
  await program.exited;
}

// Whether a new connection is answered 200.
function isAnswered(target: Target): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ ...target, noDelay: true }, () => socket.write(get()));
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(false));
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
      if (!answer.includes('\r\n')) return;
      resolve(answer.startsWith('HTTP/1.1 200 '));
      socket.destroy();
    });
  });
}

// YAML, as people write it.
const yamlOf = (engine: Engine, port: number, pool: readonly string[]): string =>
  `
engine: ${engine}
workers: 2
listeners:
  web: { listen: "127.0.0.1:${port}", mode: http, routes: [{ pool: web }] }
pools:
  web:
${pool.map((line) => `    ${line}\n`).join('')}`;

const thousand = [
  'healthCheck: { type: http, path: /health, interval: 5s, timeout: 2s }',
  'backends:',
  ...Array.from({ length: backends }, (_, index) => {
    const address = `127.1.${index >> 8}.${index & 255}:9`;
    return `- { address: "${address}", weight: ${1 + (index % 5)} }`;
  }),
];
const none = ['healthCheck: { type: http, path: /health, interval: 5s }', 'backends: []'];

forEachEngine((engine) => {
  it('answers its first request soon after the start', { timeout: 60_000 }, async () => {
    const { address } = await startHttpProcess(scene, 'origin');
    const [port = 0] = await freePorts(1);
    const target = { host: '127.0.0.1', port };
    const file = join(scene.folder(), 'sluice.yaml');
    writeFileSync(file, yamlOf(engine, port, [`backends: ["${address}"]`]));
    const ms = await best(`${engine}, start to first answer`, startMsMax, async () => {
      const watch = stopwatch();
      const program = startRun(scene, file);
      while (!(await isAnswered(target))) {
        if (program.hasExited) throw new Error(program.output);
        await pause(1);
      }
      const attempt = watch(program);
      await program.record('serving');
      await end(program);
      return attempt;
    });
    expect(ms).toBeLessThan(startMsMax * margin);
  });

  it('publishes a thousand backends of a file and stays small', { timeout: 120_000 }, async () => {
    const [port = 0] = await freePorts(1);
    const file = join(scene.folder(), 'sluice.yaml');
    let running: Program | undefined;
    const ms = await best(`${engine}, load and publish`, publishMsMax, async () => {
      if (running !== undefined) await end(running);
      writeFileSync(file, yamlOf(engine, port, none));
      const program = startRun(scene, file, { args: ['--no-watch'] });
      running = program;
      const { admin } = await program.record('serving');
      await fetchAdmin(targetOf(String(admin)), '/health');
      writeFileSync(file, yamlOf(engine, port, thousand));
      // Every worker has acknowledged when the log says so.
      const watch = stopwatch(program);
      program.child.kill('SIGHUP');
      await program.record('configuration read again');
      return watch(program);
    });
    if (running === undefined) throw new Error('nothing runs');
    const program = running;
    const { admin } = await program.record('serving');
    const checked = async (): Promise<boolean> => {
      await pause(1000);
      const { body } = await fetchAdmin(targetOf(String(admin)), '/metrics');
      const lines = body.match(/^sluice_backend_checks_total\{.*result="refused".* [1-9]/gm);
      return lines?.length === backends;
    };
    await until('all are checked', checked, 30_000);
    await pause(settleMs);
    const mebibytes = totalResidentBytes(program.pid) / 2 ** 20;
    const verdict = mebibytes < residentMiBMax ? 'met' : 'missed';
    console.log(
      `${engine}, resident with ${backends} checked backends: ${mebibytes.toFixed(0)} MiB, ` +
        `limit ${residentMiBMax}: ${verdict}`,
    );
    await end(program);
    expect(ms).toBeLessThan(publishMsMax * margin);
    expect(mebibytes).toBeLessThan(residentMiBMax * margin);
  });
});
