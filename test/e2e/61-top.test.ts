// `sluice top` beside a balancer that runs: its figures are those of the traffic, and they go on
// when the balancer's JavaScript does not.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Figures } from '../../src/cli/top-figures.ts';
import { simpleConfig } from '../fixtures/balancers.ts';
import { exchange } from '../fixtures/clients.ts';
import { askOnce, get } from '../fixtures/http-clients.ts';
import { startHttpOrigin } from '../fixtures/http-origins.ts';
import { freePorts } from '../fixtures/load-programs.ts';
import { nameOnly, startOrigin, startOrigins } from '../fixtures/origins.ts';
import {
  buildOnce,
  fetchAdmin,
  mainFile,
  runSluice,
  type Served,
  serving,
  sluice,
  start,
  startRun,
  writeConfig,
} from '../fixtures/programs.ts';
import { forEachEngine, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => buildOnce());

const adminOf = ({ admin }: Served): string =>
  'path' in admin ? `unix:${admin.path}` : `${admin.host}:${admin.port}`;

// What it prints while it looks ten times a second.
function watch(served: Served) {
  const args = ['top', '--admin', adminOf(served), '-i', '0.1', '-o', 'json'];
  const program = start(scene, process.execPath, [mainFile, ...args]);
  const seen = (): (Figures & { readonly notice?: string })[] =>
    program.out.map((line) => JSON.parse(line) as Figures);
  // Of all looks together: what happened since it began.
  const sum = (of: (one: Figures) => number): number =>
    Math.round(seen().reduce((total, one) => total + of(one) * one.intervalSeconds, 0));
  return { program, seen, sum };
}

forEachEngine((engine) => {
  it('counts each connection and request of the traffic, and who took it', async () => {
    const origin = await startHttpOrigin(scene);
    const { pools } = simpleConfig(engine, [origin.address]);
    const tcp = await startOrigin(scene, { serve: nameOnly });
    const served = await runSluice(scene, {
      workers: 2,
      engine,
      listeners: {
        in: { listen: '127.0.0.1:0', mode: 'http', routes: [{ pool: 'web' }] },
        raw: { listen: '127.0.0.1:0', mode: 'tcp', routes: [{ pool: 'raw' }] },
      },
      pools: { ...pools, raw: { backends: [tcp.address] } },
    });
    await served.prove(engine);
    const { program, seen, sum } = watch(served);
    await program.line(/"generation":1/);
    for (let made = 0; made < 20; made++) await askOnce(served.address('in'), get());
    for (let made = 0; made < 5; made++) await exchange(served.address('raw'));
    const listener = (name: string) => (one: Figures) =>
      one.listeners.find((each) => each.name === name);
    await until(
      'all of it',
      () => sum((one) => listener('raw')(one)?.connectionsPerSecond ?? 0) >= 5,
    );
    expect(sum((one) => listener('in')(one)?.requestsPerSecond ?? 0)).toBe(20);
    expect(sum((one) => listener('in')(one)?.connectionsPerSecond ?? 0)).toBe(20);
    expect(sum((one) => listener('raw')(one)?.connectionsPerSecond ?? 0)).toBe(5);
    expect(sum((one) => one.total.connectionsPerSecond)).toBe(25);
    expect(sum((one) => one.pools.find(({ name }) => name === 'web')?.requestsPerSecond ?? 0)).toBe(
      20,
    );
    const backend = (one: Figures) => one.pools.flatMap(({ backends }) => backends)[0];
    expect(sum((one) => backend(one)?.requestsPerSecond ?? 0)).toBe(20);
    const measured = seen().flatMap((one) => listener('in')(one)?.latency ?? []);
    expect(measured.length).toBeGreaterThan(0);
    for (const { p50, p99 } of measured) {
      expect(p50).toBeGreaterThan(0);
      expect(p99).toBeGreaterThanOrEqual(p50);
    }
    const [last] = seen().slice(-1);
    expect(last?.workers.map((worker) => [worker.state, worker.engine])).toEqual([
      ['running', engine],
      ['running', engine],
    ]);
    expect(last?.workers.every(({ cpuPercent = -1 }) => cpuPercent >= 0 && cpuPercent < 200)).toBe(
      true,
    );
    program.child.kill('SIGINT');
    expect(await program.exited).toEqual({ code: 0, signal: null });
  });

  it('goes on while the JavaScript of the balancer is blocked', async () => {
    const preload = join(scene.folder(), 'block.cjs');
    const block = `require('node:fs').writeSync(1, 'blocked\\n');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3000);`;
    writeFileSync(
      preload,
      `process.on('SIGUSR2', () => { ${block} console.log('unblocked'); });\n`,
    );
    const origin = await startOrigin(scene, { serve: nameOnly });
    const served = await runSluice(scene, simpleConfig(engine, [origin.address]), {
      spawn: { env: { ...process.env, NODE_OPTIONS: `--require ${preload}` } },
    });
    await served.prove(engine);
    const { program, seen, sum } = watch(served);
    await program.line(/"generation":1/);
    served.program.child.kill('SIGUSR2');
    await served.program.line(/^blocked$/);
    let answered = false;
    void fetchAdmin(served.admin, '/health').then(() => {
      answered = true;
    });
    const looks = seen().length;
    for (let made = 0; made < 10; made++) await exchange(served.address());
    await until('the traffic', () => sum((one) => one.total.connectionsPerSecond) >= 10);
    await until('more looks', () => seen().length >= looks + 5);
    // All of that while nothing else could be asked.
    expect(answered).toBe(false);
    expect(served.program.out).toEqual(['blocked']);
    expect(sum((one) => one.total.connectionsPerSecond)).toBe(10);
    await served.program.line(/^unblocked$/);
    await until('the answer', () => answered);
  });
});

describe('sluice top', () => {
  it('takes over the names of a new generation, and ends with the balancer', async () => {
    const [first, second] = await startOrigins(scene, ['a', 'b'], nameOnly);
    const config = simpleConfig('epoll', [first?.address ?? '']);
    const file = writeConfig(scene, config);
    const run = startRun(scene, file);
    const served = await serving(scene, run, 'epoll');
    await served.prove('epoll');
    const { program, seen } = watch(served);
    await program.line(/"generation":1/);
    const more = { ...config.pools, extra: { backends: [second?.address ?? ''] } };
    writeFileSync(file, JSON.stringify({ ...config, pools: more }));
    run.child.kill('SIGHUP');
    await until('the new pool', () =>
      (seen().at(-1)?.pools ?? []).some(({ name }) => name === 'extra'),
    );
    expect(seen().at(-1)).toMatchObject({
      generation: 2,
      pools: [{ name: 'web' }, { name: 'extra', backends: [{ id: second?.address, state: 'up' }] }],
    });
    run.child.kill('SIGTERM');
    await run.exited;
    expect(await program.exited).toEqual({ code: 1, signal: null });
    expect(program.errors).toEqual([
      expect.stringMatching(/the balancer \(process \d+\) has ended/),
    ]);
  });

  it('draws a screen on a terminal, sorts by a key, and gives the screen back at q', async () => {
    const served = await runSluice(scene, simpleConfig('epoll', []));
    const top = `${process.execPath} ${mainFile} top -i 0.1 --admin ${adminOf(served)}`;
    const command = `stty cols 100 rows 12; ${top}`;
    const program = start(scene, 'script', ['-qec', command, '/dev/null']);
    let text = '';
    program.child.stdout?.on('data', (data: Buffer) => {
      text += data.toString();
    });
    await until('a screen', () => text.includes('s sort: traffic'));
    expect(text).toContain('\x1b[?1049h');
    const shown = text.slice(text.lastIndexOf('\x1b[H'));
    expect(shown.split('\r\n')).toHaveLength(12);
    expect(shown).toMatch(/LISTENER +ADDRESS +CONNS/);
    program.child.stdin?.write('s');
    await until('another order', () => text.includes('s sort: connections'));
    program.child.stdin?.write('q');
    expect((await program.exited).code).toBe(0);
    expect(text.trimEnd().endsWith('\x1b[?25h\x1b[?1049l')).toBe(true);
  });

  it('prints one table for a pipe, without colours', async () => {
    const served = await runSluice(scene, simpleConfig('epoll', []));
    const { status, stdout } = sluice(['top', '--once', '-i', '0.1', '--admin', adminOf(served)]);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^sluice \S+ {2}pid \d+ {2}up \d+s {2}generation 1 {2}2 workers on epoll\n/,
    );
    expect(stdout).not.toContain('\x1b');
  });

  it('says who may look, and where nothing is to be seen', async () => {
    const served = await runSluice(scene, simpleConfig('epoll', []));
    const args = [mainFile, 'top', '--once', '--admin', adminOf(served)];
    const nobody = ['--reuid=65534', '--clear-groups', '--bounding-set=-all', process.execPath];
    const other = spawnSync('setpriv', [...nobody, ...args], { encoding: 'utf8' });
    expect(other.status).toBe(1);
    expect(other.stderr).toMatch(
      /cannot look at process \d+: .*EACCES.*: ?.*as its user, or as root/,
    );
    const wrong = sluice([
      'top',
      '--once',
      '--admin',
      adminOf(served),
      '--pid',
      String(process.pid),
    ]);
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toMatch(/has no memory of a balancer .*--pid/);
    const [free = 0] = await freePorts(1);
    const none = sluice(['top', '--once', '--admin', `127.0.0.1:${free}`]);
    expect(none).toMatchObject({ status: 1 });
    expect(none.stderr).toMatch(
      /^sluice: no sluice answers at \S+: .*ECONNREFUSED.*; is it running\?/,
    );
    expect(sluice(['top', '-i', '0.01'])).toMatchObject({ status: 2 });
    expect(sluice(['top', '--pid', 'x'])).toMatchObject({ status: 2 });
    expect(sluice(['top', '--admin', 'nowhere'])).toMatchObject({ status: 2 });
  });
});
