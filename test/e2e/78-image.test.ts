// The image of the Dockerfile, built and run by a real engine: as an ordinary user without
// capabilities, process 1 of its container, on both engines as seccomp profiles have it.
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { composeUp } from '../fixtures/compose.ts';
import { compiledStatically, useDockerEngine } from '../fixtures/docker-engine.ts';
import { startHttpOrigin } from '../fixtures/http-origins.ts';
import { freePorts } from '../fixtures/load-programs.ts';
import { start } from '../fixtures/programs.ts';
import { Metrics } from '../fixtures/prometheus-text.ts';
import { root, until, useScene } from '../fixtures/scene.ts';
import { assertServedBy, servingWorkers } from '../fixtures/serving.ts';
import { buildImage, offline, packageFolder } from '../fixtures/sluice-image.ts';

const docker = useDockerEngine(true);
const scene = useScene();
const allowing = join(root, 'examples/seccomp-io_uring.json');
const refusing = (): string => join(docker.folder, 'refusing.json');

interface Profile {
  readonly syscalls: readonly { readonly names: readonly string[] }[];
}

beforeAll(() => {
  buildImage(docker, 'sluice');
  docker.importOrigin('nginx:alpine', 80);
  const folder = join(docker.folder, 'calls');
  mkdirSync(folder);
  cpSync(compiledStatically('refused-calls'), join(folder, 'calls'));
  docker.import(folder, 'calls', ['CMD ["/calls"]']);
  const profile = JSON.parse(readFileSync(allowing, 'utf8')) as Profile;
  const syscalls = profile.syscalls.filter(({ names }) => !names.includes('io_uring_setup'));
  writeFileSync(refusing(), JSON.stringify({ ...profile, syscalls }));
}, 180_000);

afterEach(() => {
  const left = docker.docker('ps', '-aq').split('\n').filter(Boolean);
  if (left.length > 0) docker.docker('rm', '-f', ...left);
  docker.docker('network', 'prune', '-f');
});

const addressOf = (name: string): string =>
  docker.docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', name);
const bodyOf = (container: string): string =>
  `hello from ${docker.docker('inspect', '-f', '{{.Config.Hostname}}', container)}\n`;
const records = (name: string): Record<string, unknown>[] =>
  docker
    .run(['logs', name])
    .stderr.split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

// `curl ARGS` in the container's own network, where its admin API is.
function inside(name: string, ...args: string[]): string {
  const pid = docker.docker('inspect', '-f', '{{.State.Pid}}', name);
  return docker.inNetworkOf(pid, 'curl', '-s', '-m', '5', ...args);
}
const served = (name: string): Metrics =>
  new Metrics(inside(name, 'http://127.0.0.1:9123/metrics'));

const hardened = ['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'];

function run(name: string, ...options: string[]): void {
  docker.docker('run', '-d', '--name', name, ...hardened, ...options, 'sluice');
}

describe('the image', () => {
  it('has an ordinary user, a signal, a health check and no shell between', () => {
    const config = JSON.parse(docker.docker('inspect', '-f', '{{json .Config}}', 'sluice'));
    expect(config).toMatchObject({
      User: '10001:10001',
      StopSignal: 'SIGTERM',
      Entrypoint: ['sluice'],
      Cmd: ['run'],
      Healthcheck: { Test: ['CMD', 'sluice', 'status'] },
    });
  });

  const profiles = [
    { engine: 'io_uring', seccomp: () => allowing },
    { engine: 'epoll', seccomp: refusing },
  ] as const;
  it.each(profiles)('balances on $engine as the profile has it', async ({ engine, seccomp }) => {
    docker.docker('run', '-d', '--name', 'one', 'nginx:alpine');
    const file = join(docker.folder, 'sluice.yaml');
    const backend = `${addressOf('one')}:80`;
    writeFileSync(
      file,
      `workers: 2\nlisteners: { web: { listen: ":80", mode: http, routes: [{ pool: web }] } }
pools: { web: { backends: ["${backend}"] } }\n`,
    );
    const mount = `${file}:/etc/sluice/sluice.yaml:ro`;
    run('lb', '--security-opt', `seccomp=${seccomp()}`, '--health-interval', '1s', '-v', mount);
    const url = `http://${addressOf('lb')}/`;
    const hello = bodyOf('one');
    await until('it answers', () => docker.curl(url) === hello, 10_000);
    await until('two workers took part', () => {
      expect(docker.curl(...Array.from({ length: 8 }, () => url))).toBe(hello.repeat(8));
      return servingWorkers(served('lb')) === 2;
    });
    assertServedBy(served('lb'), engine);
    const refused = records('lb').filter(({ level }) => level === 'warn');
    expect(refused.map(({ reason }) => reason)).toEqual(
      engine === 'epoll' ? ['refused_permission'] : [],
    );
    const health = (): string => docker.docker('inspect', '-f', '{{.State.Health.Status}}', 'lb');
    await until('it is healthy', () => health() === 'healthy', 10_000);
    expect(docker.docker('exec', 'lb', 'sluice', 'status')).toMatch(
      new RegExp(`healthy.*2 workers on ${engine}, pid 1`),
    );
    // Process 1 has no handlers of the kernel's own: what it does not handle would be ignored, and
    // the engine would kill it after ten seconds.
    const began = performance.now();
    docker.docker('stop', 'lb');
    expect(performance.now() - began).toBeLessThan(8_000);
    expect(docker.docker('inspect', '-f', '{{.State.ExitCode}}', 'lb')).toBe('0');
    expect(records('lb').at(-1)).toMatchObject({ message: expect.stringMatching(/stopped|ended/) });
  });

  it('keeps what is changed at run time in its volume', async () => {
    const start = (): void => run('lb', '-v', 'state:/var/lib/sluice');
    const pools = (): string => inside('lb', 'http://127.0.0.1:9123/api/v1/pools/late');
    start();
    await until('it answers', () => pools() !== '', 10_000);
    const change = ['-X', 'PUT', '--json', '{"backends":["127.0.0.1:9"]}'];
    expect(inside('lb', ...change, 'http://127.0.0.1:9123/api/v1/pools/late')).toMatch(
      /"generation":2/,
    );
    docker.docker('rm', '-f', 'lb');
    start();
    await until('it is there again', () => pools().includes('127.0.0.1:9'), 10_000);
  });
});

describe('examples/seccomp-io_uring.json', () => {
  const call = (profile: string): string[] =>
    docker.docker('run', '--rm', '--security-opt', `seccomp=${profile}`, 'calls').split('\n');

  it('refuses what leads out of a container, and allows io_uring', () => {
    expect(call(allowing)).toEqual([
      'keyctl 1',
      'process_vm_readv 1',
      'personality 1',
      'clone3 38',
      'unshare 1',
      'io_uring_setup 14',
    ]);
    expect(call(refusing()).at(-1)).toBe('io_uring_setup 1');
  });

  it('is what refuses them: without a profile they are allowed', () => {
    expect(call('unconfined')).toEqual([
      'keyctl OK',
      'process_vm_readv OK',
      'personality OK',
      'clone3 22',
      'unshare OK',
      'io_uring_setup 14',
    ]);
  });
});

describe('the Compose files', () => {
  it('compose.yaml balances by labels, own and others', async () => {
    composeUp(docker, 'compose.yaml');
    const host = ['-H', 'Host: www.example.com'];
    const web = (): string => docker.curl(...host, 'http://127.0.0.1/');
    await until('web answers', () => web() === bodyOf('web'), 10_000);
    const api = (): string => docker.curl('http://127.0.0.1:8080/');
    await until('api answers', () => api() === bodyOf('api'), 10_000);
    expect(docker.curl('http://127.0.0.1/')).toBe('404 Not Found\n');
  });

  it('compose-domains.yaml balances by domains, and keeps them', async () => {
    composeUp(docker, 'compose-domains.yaml');
    const text = readFileSync(join(root, 'examples/compose-domains.yaml'), 'utf8');
    const [curl = '', ask = ''] = [...text.matchAll(/^# {3}(curl (?:.*\n#\s+)?.*)$/gm)].map(
      ([, line = '']) => line.replace(/\n#\s+/, ''),
    );
    await until(
      'the API answers',
      () => docker.shell(`${curl} || true`).includes('Route created'),
      10_000,
    );
    const both = [bodyOf('web1'), bodyOf('web2')].sort();
    const eight = `for one in 1 2 3 4 5 6 7 8; do ${ask} || true; done`;
    const answers = (): string => [...new Set(docker.shell(eight).split(/^/m))].sort().join();
    await until('both answer', () => answers() === both.join(), 10_000);
    const health = (): string =>
      docker.docker('exec', 'balancer', 'sluice', 'status', '-o', 'json');
    expect(JSON.parse(health())).toMatchObject({ health: { status: 'healthy' } });
    docker.docker('restart', 'balancer');
    await until('both answer again', () => answers() === both.join(), 10_000);
  });
});

describe('docs/getting-started.md', () => {
  const page = readFileSync(join(root, 'docs/getting-started.md'), 'utf8');
  const [first = '', second = ''] = [...page.matchAll(/```docker\n([\s\S]*?)```/g)].map(
    ([, commands = '']) => commands,
  );

  it('balances containers by its commands', async () => {
    const args = offline.join(' ');
    docker.shell(`cd ${root}\n${first.replace('docker build', `docker build -q ${args}`)}`);
    const all = (): string => docker.curl(...Array.from({ length: 8 }, () => 'http://127.0.0.1/'));
    await until(
      'both answer',
      () => {
        const told = all();
        return told.includes(bodyOf('web1')) && told.includes(bodyOf('web2'));
      },
      10_000,
    );
    const told = docker.shell(second);
    expect(told).toMatch(/docker:.*172\.17\.0\.\d+:80/);
    expect(told.endsWith(bodyOf('web2')) || told.includes(`web1\n${bodyOf('web2')}`)).toBe(true);
  });

  it('installs, checks and runs the package by its commands', async () => {
    const folder = mkdtempSync(join(docker.folder, 'own-'));
    const yaml = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    const shown = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, text = '']) => text);
    expect(shown.slice(0, 2)).toEqual(['npm ci\nnpm run demo\n', 'npm install sluice\n']);
    const [port = 0, admin = 0] = await freePorts(2);
    const { address } = await startHttpOrigin(scene, undefined, { name: 'own' });
    writeFileSync(
      join(folder, 'sluice.yaml'),
      yaml.replace('127.0.0.1:9003', address).replace(':8080', `:${port}`),
    );
    const bin = join(packageFolder(docker), 'image/usr/local/bin');
    const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}` };
    const where = `127.0.0.1:${admin}`;
    const spawned = {
      cwd: folder,
      env: { ...env, SLUICE_ADMIN: where },
      encoding: 'utf8',
    } as const;
    const [check = '', run = ''] = (shown[2] ?? '').split(/(?=npx sluice run)/);
    const doctor = spawnSync('bash', ['-c', check.replaceAll('npx ', '')], spawned);
    expect(doctor.stdout).toMatch(/valid[\s\S]*io_uring/);
    const program = start(scene, 'bash', ['-c', `exec ${run.replace('npx ', '')}`], {
      cwd: folder,
      env: spawned.env,
    });
    await until('it serves', () => program.output.includes('serving'), 10_000);
    const asked = (shown[3] ?? '').replace(':8080', `:${port}`).replace('npx ', '');
    const { stdout } = await promisify(execFile)('bash', ['-c', asked], spawned);
    expect(stdout).toMatch(/^own GET[\s\S]*healthy/);
    program.child.kill('SIGTERM');
    expect((await program.exited).code).toBe(0);
  });
});
