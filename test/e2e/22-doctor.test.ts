// `sluice doctor` under conditions that the test makes: what it finds is there.
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Config } from '../../src/index.ts';
import { simpleConfig } from '../fixtures/balancers.ts';
import { freePorts } from '../fixtures/load-programs.ts';
import {
  buildOnce,
  compiled,
  mainFile,
  runSluice,
  start,
  writeConfig,
} from '../fixtures/programs.ts';
import { useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => buildOnce());

interface Finding {
  readonly check: string;
  readonly status: string;
  readonly found: string;
  readonly means?: string;
  readonly fix?: string;
}

// What it says, by check. Its admin is where nothing listens unless stated.
async function examine(
  args: readonly string[] = [],
  under: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
) {
  const docker = `unix://${join(scene.folder(), 'no-docker.sock')}`;
  const words = [...under, process.execPath, mainFile, 'doctor', '-o', 'json', ...args];
  const [command = '', ...rest] = words;
  const program = start(scene, command, rest, {
    env: { ...process.env, DOCKER_HOST: docker, ...env },
  });
  const { code } = await program.exited;
  if (program.out.length === 0) throw new Error(program.output);
  const { ok, findings } = JSON.parse(program.out.join('\n')) as {
    ok: boolean;
    findings: Finding[];
  };
  expect(code).toBe(ok ? 0 : 1);
  expect(ok).toBe(findings.every(({ status }) => status !== 'fail'));
  return new Map(findings.map((finding) => [finding.check, finding]));
}

const file = (config: Partial<Config>): string =>
  writeConfig(scene, { ...simpleConfig('epoll', []), engine: 'auto', ...config });

describe('sluice doctor', () => {
  it('finds that io_uring works', async () => {
    const found = (await examine()).get('io_uring');
    expect(found).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(/^works, on Linux \d/),
    });
  });

  it('explains a seccomp filter; it fails only where io_uring is demanded', async () => {
    const under = [compiled('no-uring')];
    const auto = (await examine(['-c', file({})], under)).get('io_uring');
    expect(auto).toMatchObject({
      status: 'warn',
      found: expect.stringMatching(/seccomp|io_uring_disabled/),
      means: expect.stringContaining('epoll'),
      fix: expect.stringMatching(/io_uring_setup|sysctl/),
    });
    const demanded = await examine(['-c', file({ engine: 'io_uring' })], under);
    expect(demanded.get('io_uring')?.status).toBe('fail');
  });

  it('counts how many connections the limit of open files lets in', async () => {
    const under = ['prlimit', '--nofile=1000:1000'];
    const few = (await examine([], under)).get('open files');
    // 1000, less 128 for the process and 144 for each worker, two for each connection.
    const workers = Math.min(availableParallelism(), 2);
    const fit = Math.max(16, Math.floor((1000 - 128 - 144 * workers) / 2));
    expect(few).toMatchObject({
      status: 'warn',
      found: 'limit 1000',
      fix: expect.stringContaining('LimitNOFILE='),
    });
    if (availableParallelism() === workers) expect(few?.means).toContain(`${fit} connections`);
    const config = file({ workers: 2, maxConnections: 5000 });
    const wanted = (await examine(['-c', config], under)).get('open files');
    expect(wanted).toMatchObject({
      status: 'fail',
      means: 'maxConnections is 5000, and 292 connections fit',
      fix: expect.stringContaining(`ulimit -n ${2 * 5000 + 128 + 2 * 144}`),
    });
  });

  it('sees that more workers are wanted than the affinity mask has processors', async () => {
    const under = ['taskset', '-c', '0'];
    const automatic = (await examine([], under)).get('processors');
    expect(automatic?.status).toBe('ok');
    expect(automatic?.found).toMatch(/^1 of \d+ allowed.*: 1 worker$/);
    const two = (await examine(['-c', file({ workers: 2 })], under)).get('processors');
    expect(two).toMatchObject({
      status: 'warn',
      means: '2 workers share 1 processor',
      fix: expect.stringContaining('workers: auto'),
    });
  });

  it('sees which listeners may not listen without the capability', async () => {
    const low = file({
      listeners: { low: { listen: '127.0.0.1:81', mode: 'tcp', routes: [{ pool: 'web' }] } },
    });
    const under = ['setpriv', '--bounding-set=-net_bind_service', '--inh-caps=-all'];
    const found = (await examine(['-c', low], under)).get('ports');
    expect(found).toMatchObject({
      status: 'fail',
      means: 'low (127.0.0.1:81) cannot listen',
      fix: expect.stringContaining('CAP_NET_BIND_SERVICE'),
    });
    expect((await examine(['-c', file({})], under)).get('ports')?.status).toBe('ok');
    expect((await examine(['-c', low])).get('ports')?.status).toBe('ok');
  });

  it('asks the engine of containers, and tells absent, refused and silent ones apart', async () => {
    const path = join(scene.folder(), 'docker.sock');
    const env = { DOCKER_HOST: `unix://${path}` };
    expect((await examine([], [], env)).get('docker')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('ENOENT'),
    });
    const engine = createServer((request, response) => {
      response.setHeader('api-version', '1.41').end(request.url === '/_ping' ? 'OK' : '');
    });
    engine.listen(path);
    scene.after(() => engine.close());
    expect((await examine([], [], env)).get('docker')).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('API version 1.41'),
    });
    chmodSync(path, 0);
    const under = ['setpriv', '--bounding-set=-all', '--inh-caps=-all'];
    expect((await examine([], under, env)).get('docker')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('EACCES'),
      fix: expect.stringContaining('SupplementaryGroups=docker'),
    });
  });

  it('asks the balancer that runs', async () => {
    const served = await runSluice(scene, simpleConfig('epoll', []));
    const { host, port } = served.admin as { host: string; port: number };
    const found = (await examine(['--admin', `${host}:${port}`])).get('admin');
    expect(found).toMatchObject({ status: 'ok', found: expect.stringContaining('healthy') });
    const [free = 0] = await freePorts(1);
    expect((await examine(['--admin', `127.0.0.1:${free}`])).get('admin')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('ECONNREFUSED'),
      fix: expect.stringContaining('--admin'),
    });
  });

  it('prints a line for each check, and refuses a wrong file with code 2', async () => {
    const shown = start(scene, process.execPath, [mainFile, 'doctor']);
    await shown.exited;
    expect(shown.out.filter((line) => /^(ok|warn|fail) {2,4} ?[a-z_ ]+: /.test(line))).toHaveLength(
      7,
    );
    const wrong = join(scene.folder(), 'wrong.yaml');
    writeFileSync(wrong, 'workers: many\n');
    const refused = start(scene, process.execPath, [mainFile, 'doctor', '-c', wrong]);
    expect((await refused.exited).code).toBe(2);
    expect(refused.output).toMatch(/wrong\.yaml:1.*workers is "many"/);
  });
});
