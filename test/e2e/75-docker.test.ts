// What the provider makes of the containers of a real engine.
import { writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../src/log.ts';
import type { DockerSettings } from '../../src/model/types.ts';
import { DockerProvider } from '../../src/providers/docker.ts';
import type { ImageMapping } from '../../src/providers/overrides.ts';
import { useDockerEngine } from '../fixtures/docker-engine.ts';
import { buildOnce, mainFile, type Program, start } from '../fixtures/programs.ts';
import { until, useScene } from '../fixtures/scene.ts';

const engine = useDockerEngine();
const scene = useScene();
beforeAll(() => {
  buildOnce();
  engine.importOrigin('test/origin:1', 8080);
  const check = (argument: string): string[] => [
    `HEALTHCHECK --interval=1s --retries=1 CMD ["/origin", "${argument}"]`,
  ];
  engine.importOrigin('test/sick:1', 8080, check('8080'));
  engine.importOrigin('test/fit:1', 8080, check('fine'));
});
afterEach(() => {
  const left = engine.docker('ps', '-aq').split('\n').filter(Boolean);
  if (left.length > 0) engine.docker('rm', '-f', ...left);
});

const standard: DockerSettings = {
  endpoint: undefined,
  tls: undefined,
  exposedByDefault: false,
  network: undefined,
  listen: ':80',
  images: [],
};

let lines: Record<string, unknown>[] = [];
beforeEach(() => {
  lines = [];
});
const said = (message: string) => lines.filter((line) => line['message'] === message);

async function watch(settings: Partial<DockerSettings> = {}, images: ImageMapping[] = []) {
  const log = createLogger({
    level: 'debug',
    format: 'json',
    write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  const env = { DOCKER_HOST: engine.endpoint };
  const provider = new DockerProvider({ log, env, mappings: { images: () => images } });
  await provider.configure({ ...standard, ...settings });
  let changes = 0;
  provider.start(() => void changes++);
  scene.after(() => provider.stop());
  await until('a first list', () => provider.status()?.connected === true);
  const backends = (): string[] =>
    [...provider.state().pools].flatMap(([pool, { backends: all }]) =>
      [...all.keys()].map((id) => `${pool} ${id}`),
    );
  const one = (name: string) => {
    return provider.status()?.containers.find((container) => container.name === name);
  };
  return { provider, backends, one, changes: () => changes };
}

const run = (name: string, ...args: readonly string[]): string =>
  engine.docker('run', '-d', '--name', name, ...args);
const labels = (...all: readonly string[]): string[] => all.flatMap((label) => ['--label', label]);
const enabled = labels('sluice.enable=true');
const addressOf = (name: string): string =>
  engine.docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', name);

describe('containers', () => {
  it('join when they start and leave when they are told to end', async () => {
    const patient = ['/origin', '8080', '3000'];
    run('web1', ...enabled, ...labels('sluice.host=a.example'), 'test/origin:1', ...patient);
    const { backends, one } = await watch();
    const pool = 'docker:a.example@:80';
    const first = `${pool} ${addressOf('web1')}:8080`;
    expect(backends()).toEqual([first]);
    expect(one('web1')).toMatchObject({ state: 'balanced', routes: ['http :80 a.example/'] });
    run('web2', ...enabled, ...labels('sluice.host=a.example'), 'test/origin:1');
    const second = `${pool} ${addressOf('web2')}:8080`;
    await until('web2 joins', () => backends().join() === `${first},${second}`);
    expect(said('container joined').map((line) => line['container'])).toEqual(['web1', 'web2']);
    // It goes on for 3 s; the provider does not wait for its end.
    engine.docker('kill', '-s', 'TERM', 'web1');
    await until('web1 leaves', () => backends().join() === second, 2000);
    expect(one('web1')?.state).toBe('draining');
    await until('web1 has ended', () => one('web1') === undefined);
    expect(said('container drains')[0]).toMatchObject({ container: 'web1' });
    expect(said('container ended')[0]).toMatchObject({ container: 'web1' });
  });

  it('that decide to stay come back, and other signals mean nothing', async () => {
    run('deaf', '--stop-timeout', '1', ...enabled, 'test/origin:1', '/origin', '8080', '60000');
    const { backends, one } = await watch();
    expect(backends()).toHaveLength(1);
    engine.docker('kill', '-s', 'WINCH', 'deaf');
    run('later', ...enabled, 'test/origin:1');
    await until('later joins', () => backends().length === 2);
    expect(one('deaf')?.state).toBe('balanced');
    engine.docker('kill', '-s', 'TERM', 'deaf');
    await until('it leaves', () => one('deaf')?.state === 'draining');
    await until('it is back', () => one('deaf')?.state === 'balanced', 6000);
    expect(said('container joined').filter((line) => line['container'] === 'deaf')).toHaveLength(2);
  });

  it('that pause, restart or are renamed are followed', async () => {
    run('web', ...enabled, 'test/origin:1', '/origin', '8080', '50');
    const { backends, one, provider } = await watch();
    engine.docker('pause', 'web');
    await until('it is paused', () => one('web')?.reason === 'it is paused');
    expect(backends()).toEqual([]);
    // The route stays and answers 503 rather than 404.
    expect(provider.state().attached).toHaveLength(1);
    engine.docker('unpause', 'web');
    await until('it is back', () => backends().length === 1);
    engine.docker('rename', 'web', 'www');
    await until('it has its new name', () => one('www')?.state === 'balanced');
    await engine.dockerMeanwhile('restart', 'www');
    await until('it is back', () => backends().length === 1);
    expect(said('container ended').concat(said('container drains'))).not.toHaveLength(0);
  });

  it('with a health check wait for it', async () => {
    const { backends, one } = await watch();
    const slower = ['--health-interval', '2s'];
    await engine.dockerMeanwhile('run', '-d', '--name', 'fit', ...slower, ...enabled, 'test/fit:1');
    const starting = 'its health check says starting';
    await until('it is seen', () => one('fit')?.reason === starting);
    // A second server on the same port fails: the check does, too.
    run('sick', ...enabled, 'test/sick:1');
    run('unchecked', ...enabled, '--no-healthcheck', 'test/sick:1');
    await until('it joins', () => one('unchecked')?.state === 'balanced', 15_000);
    const fails = 'its health check says unhealthy';
    await until('one fails', () => one('sick')?.reason === fails, 15_000);
    await until('one joins', () => one('fit')?.state === 'balanced', 15_000);
    expect(backends()).toHaveLength(2);
  });

  it('with mistakes are skipped, each for itself, with every reason', async () => {
    run('good', ...enabled, 'test/origin:1');
    run('typo', ...enabled, ...labels('sluice.prot=1', 'sluice.weight=heavy'), 'test/origin:1');
    run(
      'tls',
      ...labels('lb.enable=Y', 'lb.publish=443', 'lb.target=80', 'lb.ssl=/a.pem'),
      'test/origin:1',
    );
    run('idle', 'test/origin:1');
    const { backends, one } = await watch();
    expect(backends()).toHaveLength(1);
    expect(one('typo')).toMatchObject({
      state: 'skipped',
      reason: expect.stringMatching(/sluice\.prot is unknown.*sluice\.weight: expected a whole/),
    });
    expect(one('tls')?.reason).toMatch(/lb\.ssl: TLS is not supported/);
    expect(one('idle')).toMatchObject({ state: 'ignored', reason: 'nothing asks for it' });
    expect(said('container skipped').map((line) => line['container'])).toEqual(['typo', 'tls']);
  });
});

describe('networks', () => {
  it('are chosen by label, else configuration, else there may be only one', async () => {
    engine.docker('network', 'create', 'front');
    scene.after(() => engine.docker('network', 'rm', 'front'));
    run('both', ...enabled, 'test/origin:1');
    engine.docker('network', 'connect', 'front', 'both');
    scene.after(() => engine.docker('rm', '-f', 'both'));
    const { one, provider } = await watch();
    expect(one('both')).toMatchObject({
      state: 'skipped',
      reason: expect.stringMatching(/several networks \(bridge, front\).*sluice\.network/),
    });
    const format = '{{.NetworkSettings.Networks.front.IPAddress}}:8080';
    await provider.configure({ ...standard, network: 'front' });
    const front = engine.docker('inspect', '-f', format, 'both');
    expect(one('both')).toMatchObject({ state: 'balanced', address: front });
    await provider.configure(standard);
    engine.docker('network', 'disconnect', 'front', 'both');
    await until('one is left', () => one('both')?.address === `${addressOf('both')}:8080`);
  });
});

describe('mappings of images', () => {
  it('balance containers without a label, and change at run time', async () => {
    run('plain', 'test/origin:1');
    const images: ImageMapping[] = [];
    const { backends, provider } = await watch({}, images);
    expect(backends()).toEqual([]);
    images.push({ image: 'test/origin', listen: '9000', port: 8080 });
    provider.overridden();
    expect(backends()).toEqual([`docker:*@:9000 ${addressOf('plain')}:8080`]);
    images.pop();
    provider.overridden();
    expect(backends()).toEqual([]);
  });
});

describe('an engine', () => {
  it('is asked for so little that a proxy may refuse the rest', async () => {
    const path = join(scene.folder(), 'proxy.sock');
    const asked = new Set<string>();
    const proxy = createServer(({ method, url = '' }, response) => {
      asked.add(`${method} ${url.replace(/\?.*/, '').replace(/[0-9a-f]{64}/, 'ID')}`);
      const onward = request({ socketPath: engine.socket, method, path: url }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        response.flushHeaders();
        answer.pipe(response);
      });
      response.once('close', () => onward.destroy());
      onward.on('error', () => response.destroy()).end();
    }).listen(path);
    scene.after(() => proxy.closeAllConnections());
    scene.after(() => void proxy.close());
    run('web', ...enabled, 'test/origin:1');
    const { backends } = await watch({ endpoint: path });
    expect(backends()).toHaveLength(1);
    const version = `v${engine.docker('version', '-f', '{{.Server.APIVersion}}')}`;
    expect([...asked].sort()).toEqual([
      `GET /${version}/containers/ID/json`,
      `GET /${version}/containers/json`,
      `GET /${version}/events`,
      'GET /version',
    ]);
  });

  it('behind TLS is reached with certificates, and not without', async () => {
    const folder = engine.certificates();
    await engine.stop();
    const tls = ['--tlsverify', '--tlscacert', join(folder, 'ca.pem')];
    const own = ['--tlscert', 'server-cert.pem', '--tlskey', 'server-key.pem'];
    const files = own.map((word) => (word.endsWith('.pem') ? join(folder, word) : word));
    await engine.start(['-H', 'tcp://127.0.0.1:2376', ...tls, ...files]);
    run('web', ...enabled, ...labels('sluice.listen=127.0.0.1:8088'), 'test/origin:1');
    const file = join(scene.folder(), 'sluice.json');
    writeFileSync(file, JSON.stringify({ workers: 2 }));
    const sluice = (env: NodeJS.ProcessEnv): Program => {
      const words = ['run', '-c', file, '--admin', 'off', '--docker', 'true'];
      const [command = '', ...rest] = [...engine.within, process.execPath, mainFile, ...words];
      return start(scene, command, rest, { env: { ...process.env, ...env } });
    };
    const remote = { DOCKER_HOST: 'tcp://127.0.0.1:2376' };
    const secured = sluice({ ...remote, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder });
    await secured.record('container joined');
    await until('it serves', () => engine.curl('http://127.0.0.1:8088/').startsWith('hello from '));
    const plain = sluice(remote);
    expect(await plain.record('container engine is not reached')).toMatchObject({
      remedy: expect.stringMatching(/tls/i),
    });
  });

  it('that restarts leaves the last good state, and is followed again', async () => {
    run('web', ...enabled, 'test/origin:1');
    const { backends, provider, changes } = await watch();
    const before = backends();
    expect(before).toHaveLength(1);
    const seen = changes();
    const errors = provider.status()?.errors ?? 0;
    await engine.stop();
    await until('it is missed', () => said('container engine is not reached').length > 0);
    expect(backends()).toEqual(before);
    expect(changes()).toBe(seen);
    expect(said('container engine is lost, its containers stay')).toHaveLength(1);
    expect(said('container engine is not reached')[0]).toMatchObject({
      reason: expect.stringContaining('ENOENT'),
      remedy: expect.stringContaining('is Docker installed'),
    });
    await engine.start();
    await until('it is back', () => provider.status()?.connected === true, 15_000);
    expect(backends()).toEqual(before);
    expect(provider.status()?.errors).toBeGreaterThan(errors);
    run('other', ...enabled, 'test/origin:1');
    await until('other joins', () => backends().length === 2);
  });
});
