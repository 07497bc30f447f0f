// The command as people run it: the built file, real signals, real exit codes.
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Config } from '../../src/index.ts';
import { simpleConfig } from '../fixtures/balancers.ts';
import { exchange, openClient } from '../fixtures/clients.ts';
import { nameOnly, startOrigin, startOrigins } from '../fixtures/origins.ts';
import {
  buildOnce,
  fetchAdmin,
  mainFile,
  runSluice,
  Served,
  serving,
  sluice,
  start,
  startRun,
  writeConfig,
} from '../fixtures/programs.ts';
import { forEachEngine, root, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => buildOnce());

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string;
};

describe('sluice', () => {
  it('tells its version', () => {
    expect(sluice(['--version'])).toMatchObject({ status: 0, stdout: `${version}\n` });
  });

  it('helps', () => {
    const { status, stdout } = sluice(['--help']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/run[\s\S]*validate[\s\S]*demo[\s\S]*Exit codes/);
  });

  it.each([
    [[]],
    [['fly']],
    [['validate', '-c', '']],
    [['run', '--engine', 'kqueue', '-c', 'x']],
    [['demo', '--port', 'x']],
    [['demo', '--workers', '0']],
    [['demo', '--admin', 'nowhere']],
  ])('refuses %j with exit code 2', (args) => {
    const { status, stderr } = sluice(args);
    expect(status).toBe(2);
    expect(stderr).not.toBe('');
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

describe('sluice validate', () => {
  const file = (text: string): string => {
    const path = join(scene.folder(), 'sluice.yaml');
    writeFileSync(path, text);
    return path;
  };
  const good = `
listeners:
  in: { listen: '127.0.0.1:0', mode: tcp, routes: [{ pool: web }] }
pools:
  web: { backends: ['127.0.0.1:9001', { address: '127.0.0.1:9002', weight: 2 }] }
`;

  it('says that a file is valid', () => {
    const { status, stdout } = sluice(['validate', '-c', file(good)]);
    expect(stdout).toMatch(/is valid: 1 listener, 1 pool, 2 backends\n$/);
    expect(status).toBe(0);
  });

  it('takes the file from the environment, and a flag before it', () => {
    const env = { SLUICE_CONFIG: file(good) };
    expect(sluice(['validate'], env).status).toBe(0);
    expect(sluice(['validate', '-c', '/nowhere/sluice.yaml'], env).status).toBe(2);
  });

  it('prints every problem with line, path, value and what was expected', () => {
    const path = file(`
workers: many
listeners:
  in: { listen: '127.0.0.1:99999', mode: tcp, routes: [{ pool: web }] }
pools:
  web:
    strategy: fastest
    bakends: []
`);
    const { status, stderr } = sluice(['validate', '-c', path]);
    expect(status).toBe(2);
    const lines = stderr.trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(/sluice\.yaml:2:10: workers is "many": expected 'auto' or a whole/);
    expect(lines[1]).toMatch(
      /sluice\.yaml:4:17: listeners\.in\.listen is "127\.0\.0\.1:99999": exp/,
    );
    expect(lines[2]).toMatch(
      /sluice\.yaml:7:15: pools\.web\.strategy is "fastest": expected one of/,
    );
    expect(lines[3]).toMatch(
      /sluice\.yaml:8:5: .*unknown key 'bakends'; did you mean 'backends'\?$/,
    );
  });

  it('finds what only the whole shows, with its line', () => {
    const path = file(good.replace('pool: web', 'pool: wep'));
    const { status, stderr } = sluice(['validate', '-c', path]);
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /sluice\.yaml:3:60: .*pool is "wep": expected one of the pools 'web'; did you mean 'web'\?/,
    );
  });

  it('tells where the syntax is wrong, and what cannot be read', () => {
    const broken = sluice(['validate', '-c', file('listeners: [\n')]);
    expect(broken).toMatchObject({ status: 2 });
    expect(broken.stderr).toMatch(/sluice\.yaml:2:1: /);
    const missing = sluice(['validate', '-c', '/nowhere/sluice.yaml']);
    expect(missing.status).toBe(2);
    expect(missing.stderr).toMatch(/ENOENT/);
  });
});

forEachEngine((engine) => {
  const config = (backends: readonly string[]): Config => simpleConfig(engine, backends);

  it('runs a file, says what serves, and ends with 0 after SIGTERM', async () => {
    const [origin] = await startOrigins(scene, ['a'], nameOnly);
    const served = await runSluice(scene, config([origin?.address ?? '']));
    const record = await served.program.record('serving');
    expect(record).toMatchObject({ level: 'info', workers: 2, engine });
    expect(record['listeners']).toEqual([expect.stringMatching(/^in 127\.0\.0\.1:\d+$/)]);
    await served.prove(engine);
    expect((await exchange(served.address())).toString()).toBe('a');
    const health = await fetchAdmin(served.admin, '/health');
    expect(health.status).toBe(200);
    expect(JSON.parse(health.body)).toMatchObject({ status: 'healthy', generation: 1 });
    served.program.child.kill('SIGTERM');
    expect(await served.program.exited).toEqual({ code: 0, signal: null });
  });

  it('drains at SIGTERM: open connections finish, new ones are refused', async () => {
    const origin = await startOrigin(scene);
    const served = await runSluice(scene, config([origin.address]));
    const client = await openClient(scene, served.address());
    client.write('before');
    await client.receive(6);
    await served.prove(engine);
    served.program.child.kill('SIGTERM');
    await served.program.record('draining');
    await until('refused', () =>
      exchange(served.address()).then(
        () => false,
        () => true,
      ),
    );
    expect((await fetchAdmin(served.admin, '/health')).status).toBe(503);
    client.end('after');
    expect((await client.receive(11)).toString()).toBe('beforeafter');
    await client.ended();
    expect(await served.program.exited).toEqual({ code: 0, signal: null });
  });

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('exits at once at a second %s', async (signal, code) => {
    const origin = await startOrigin(scene);
    const served = await runSluice(scene, config([origin.address]));
    const client = await openClient(scene, served.address());
    client.write('x');
    await client.receive(1);
    await served.prove(engine);
    served.program.child.kill(signal);
    await served.program.record('draining');
    const start = performance.now();
    served.program.child.kill(signal);
    expect(await served.program.exited).toEqual({ code, signal: null });
    expect(performance.now() - start).toBeLessThan(3000);
  });

  it('reads the file again at SIGHUP, and closes nothing', async () => {
    const [first, second] = await startOrigins(scene, ['first', 'second']);
    const file = writeConfig(scene, config([first?.address ?? '']));
    const program = startRun(scene, file);
    const target = (await serving(scene, program, engine)).address();
    const client = await openClient(scene, target);
    await client.receive(6);

    writeFileSync(file, JSON.stringify(config([second?.address ?? ''])));
    program.child.kill('SIGHUP');
    await program.record('configuration read again');
    expect((await exchange(target)).toString()).toBe('second\n');
    client.write('still');
    expect((await client.receive(11)).toString()).toBe('first\nstill');

    writeFileSync(file, '{ "listeners": 1 }');
    program.child.kill('SIGHUP');
    const refused = await program.record('configuration not taken over, the old one stays');
    expect(refused).toMatchObject({ level: 'error', error: { code: 'ERR_SLUICE_CONFIG' } });
    expect((await exchange(target)).toString()).toBe('second\n');
    expect(client.isOpen).toBe(true);
  });

  it('starts nothing when a port is in use', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    scene.after(() => taken.close());
    const { port } = taken.address() as { port: number };
    const clash = simpleConfig(engine, [], { listener: { listen: `127.0.0.1:${port}` } });
    const file = writeConfig(scene, clash);
    const { status, stderr } = sluice(['run', '-c', file, '--admin', 'off']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/cannot listen on 127\.0\.0\.1:\d+ \(listeners\.in\): .*EADDRINUSE/);
    const admin = writeConfig(scene, config([]));
    const second = sluice(['run', '-c', admin, '--admin', `127.0.0.1:${port}`]);
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(/cannot listen on 127\.0\.0\.1:\d+ \(admin\): .*EADDRINUSE/);
  });

  it('takes settings from flags before variables before the file', async () => {
    const file = writeConfig(scene, { ...config([]), engine: 'auto', workers: 1 });
    const program = startRun(scene, file, {
      args: ['--engine', engine],
      spawn: { env: { ...process.env, SLUICE_ENGINE: 'auto', SLUICE_WORKERS: '2' } },
    });
    expect(await program.record('serving')).toMatchObject({ engine, workers: 2 });
    await serving(scene, program, engine);
  });

  it('demonstrates balancing', async () => {
    const args = [mainFile, 'demo', '--port', '0', '--admin', '127.0.0.1:0'];
    const more = ['--engine', engine, '--workers', '2'];
    const program = start(scene, process.execPath, [...args, ...more]);
    const url = /http:\S+/.exec(await program.line(/is balanced over 3 backends/))?.[0] ?? '';
    const names = new Set<string>();
    for (let asked = 0; asked < 12; asked++) names.add(await body(url));
    expect([...names].sort()).toEqual([
      'hello from blue\n',
      'hello from green\n',
      'hello from red\n',
    ]);
    const admin = /http:\/\/(\S+)\/metrics/.exec(await program.line(/\/metrics/))?.[1] ?? '';
    const served = new Served(program, [`in ${new URL(url).host}`], admin);
    await served.prove(engine);
    program.child.kill('SIGINT');
    expect(await program.exited).toEqual({ code: 0, signal: null });
  });
});

const body = (url: string): Promise<string> =>
  new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
