// The two foreign dialects, by the lines that their users know: real curl, real traffic.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, it } from 'vitest';
import type { Domain } from '../../src/admin/domains.ts';
import { ask, type Told } from '../fixtures/admin-api.ts';
import type { Target } from '../fixtures/clients.ts';
import { askOnce } from '../fixtures/http-clients.ts';
import { startHttpOrigin } from '../fixtures/http-origins.ts';
import { deadPort } from '../fixtures/origins.ts';
import { buildOnce, type Served, serving, startRun } from '../fixtures/programs.ts';
import { type Engine, forEachEngine, type Scene, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => buildOnce());

const run = promisify(execFile);
async function curl(...args: string[]): Promise<string> {
  const { stdout } = await run('curl', ['-sS', '--max-time', '5', ...args]);
  return stdout;
}
const statusOf = (...args: string[]): Promise<string> =>
  curl('-o', '/dev/null', '-w', '%{http_code}', ...args);

interface Started {
  readonly served: Served;
  readonly admin: string;
  readonly tell: (method: string, path: string, body?: unknown) => Promise<Told>;
}

// Both dialects keep what they are told in `folder`. The listener `in` is for the proof of who
// served.
async function started(
  engine: Engine,
  folder: string,
  port: number,
  backend: string,
): Promise<Started> {
  const file = join(folder, 'sluice.json');
  const config = {
    workers: 2,
    engine,
    stateFile: join(folder, 'state.json'),
    listeners: { in: { listen: '127.0.0.1:0', mode: 'http', routes: [{ pool: 'web' }] } },
    pools: { web: { backends: [backend] } },
  };
  writeFileSync(file, JSON.stringify(config));
  const env = {
    ...process.env,
    LOAD_BALANCER_PORT: String(port),
    DOMAIN_DATA_PATH: join(folder, 'data/domains.json'),
  };
  const program = startRun(scene, file, { spawn: { env } });
  const served = await serving(scene, program, engine);
  const target = served.admin as { host: string; port: number };
  return {
    served,
    admin: `${target.host}:${target.port}`,
    tell: (method, path, body) => ask(target, path, { method, body }),
  };
}

const named = async (given: Scene, name: string): Promise<string> =>
  (await startHttpOrigin(given, undefined, { name })).address;
const portOf = (address: string): number => Number(address.split(':')[1]);

async function answer(port: number, host = 'a.example', path = '/'): Promise<string> {
  const target: Target = { host: '127.0.0.1', port };
  const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const { status, text } = await askOnce(target, request);
  return status === 200 ? (text.split(' ')[0] ?? '') : String(status);
}

// A container by its name, whose address changes.
async function renameContainers(
  { tell }: Started,
  port: number,
  one: string,
  two: string,
): Promise<void> {
  const put = (patch: object): Promise<Told> => tell('PUT', '/api/routes/example.com', patch);
  const container = { name: 'web9', address: one };
  expect((await tell('POST', '/api/containers', container)).status).toBe(201);
  expect((await put({ status: 'active', containers: ['web9'] })).status).toBe(200);
  expect(await answer(port, 'example.com')).toBe('one');
  expect((await tell('PUT', '/api/containers/web9', { address: two })).status).toBe(200);
  expect(await answer(port, 'example.com')).toBe('two');
  expect((await tell('GET', '/api/containers')).body).toContainEqual({
    name: 'web9',
    status: 'running',
    ports: [portOf(two)],
    // The domain's health_check is asked by now, or about to be.
    health: expect.stringMatching(/^(checking|healthy)$/),
  });
  expect((await tell('DELETE', '/api/containers/web9')).status).toBe(409);
}

forEachEngine((engine) => {
  it('a list of servers', async () => {
    const [one, two] = [await named(scene, 'one'), await named(scene, 'two')];
    const port = await deadPort();
    const folder = scene.folder();
    const { served, admin } = await started(engine, folder, await deadPort(), one);
    const url = `${admin}/server/:${port}`;

    expect(await curl(admin)).toBe('[]\n');
    const upstream = { Target: '127.0.0.1', Port: portOf(one) };
    const data = JSON.stringify({ address: `:${port}`, upstreams: [upstream] });
    expect(await statusOf('-X', 'POST', `${admin}/server`, '--data', data)).toBe('204');
    const server = {
      address: `:${port}`,
      filter: { Hosts: null, Schemes: ['', ''], PathPrefix: '' },
      upstreams: [{ ...upstream, Priority: 0, Weight: 1 }],
    };
    expect(JSON.parse(await curl(url))).toEqual(server);
    expect(JSON.parse(await curl(admin))).toEqual([server]);
    expect(await curl(`localhost:${port}/x`)).toBe('one GET /x 0\n');
    expect(await statusOf('-I', url)).toBe('200');

    // Upstreams: the lowest priority alone, by their weights.
    const second = `${url}/upstream/127.0.0.1-${portOf(two)}`;
    expect(await statusOf(second)).toBe('404');
    const put = (priority: number, weight: number): Promise<string> => {
      const body = { Target: '127.0.0.1', Port: portOf(two), Priority: priority, Weight: weight };
      return statusOf('-X', 'PUT', second, '--data', JSON.stringify(body));
    };
    expect(await put(1, 2)).toBe('204');
    expect(JSON.parse(await curl(second))).toMatchObject({ Priority: 1, Weight: 2 });
    expect(new Set(await Promise.all([...'123456'].map(() => answer(port))))).toEqual(
      new Set(['one']),
    );
    expect(await put(0, 1)).toBe('204');
    const both = [...'12345678'].map(() => answer(port));
    expect(new Set(await Promise.all(both))).toEqual(new Set(['one', 'two']));
    expect(await statusOf('-X', 'DELETE', `${url}/upstream/127.0.0.1-${portOf(one)}`)).toBe('204');
    expect(await answer(port)).toBe('two');

    // The filter.
    const filter = (body: object): Promise<string> =>
      statusOf('-X', 'POST', `${url}/filter`, '--data', JSON.stringify(body));
    expect(
      await filter({ Hosts: ['www.website.com'], Schemes: ['http', ''], PathPrefix: '/api' }),
    ).toBe('204');
    expect(await answer(port, 'www.website.com', '/api/x')).toBe('two');
    expect(await answer(port, 'www.website.com')).toBe('404');
    expect(await answer(port, 'a.example', '/api')).toBe('404');
    expect(await filter({ Hosts: null, Schemes: ['https', ''], PathPrefix: '' })).toBe('204');
    await until('nothing comes by http', async () => {
      return (await answer(port).catch(() => 'refused')) === 'refused';
    });
    expect(await filter({ Hosts: null, Schemes: ['', ''], PathPrefix: '' })).toBe('204');
    expect(await answer(port)).toBe('two');

    // Kept over a restart; and gone.
    await served.prove(engine);
    served.program.child.kill('SIGTERM');
    await served.program.exited;
    const after = await started(engine, folder, await deadPort(), one);
    expect(await answer(port)).toBe('two');
    expect(await statusOf('-X', 'DELETE', `${after.admin}/server/:${port}`)).toBe('204');
    await expect(answer(port)).rejects.toThrow();
    expect(JSON.parse(await curl(`${after.admin}/server/:${port}`))).toHaveProperty('message');
  });

  it('a list of domains', async () => {
    const [one, two] = [await named(scene, 'one'), await named(scene, 'two')];
    const port = await deadPort();
    const folder = scene.folder();
    const first = await started(engine, folder, port, one);
    const file = join(folder, 'data/domains.json');
    expect(existsSync(file)).toBe(false);
    const { tell } = first;
    expect((await tell('GET', '/api/routes')).body).toEqual([]);
    for (const path of ['/health', '/api/health']) {
      expect((await tell('GET', path)).body).toMatchObject({ status: 'healthy' });
    }
    expect((await tell('GET', '/metrics')).text).toMatch(/^# HELP/);
    expect((await tell('GET', '/api/metrics')).body).toHaveProperty('listeners');

    const domain: Domain = {
      domain: 'example.com',
      containers: [one, { name: 'web2', address: two }],
      strategy: 'round_robin',
      health_check: '/health',
      status: 'active',
    };
    const made = await tell('POST', '/api/routes', domain);
    expect([made.status, made.body]).toEqual([
      201,
      { message: 'Route created', domain: 'example.com' },
    ]);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual([domain]);
    expect((await tell('GET', '/api/routes')).body).toEqual([domain]);
    const answers = await Promise.all([...'12345678'].map(() => answer(port, 'example.com')));
    expect(new Set(answers)).toEqual(new Set(['one', 'two']));
    expect(await answer(port, 'other.com')).toBe('404');

    const put = (patch: object): Promise<Told> => tell('PUT', '/api/routes/example.com', patch);
    expect((await put({ status: 'maintenance' })).status).toBe(200);
    expect(await answer(port, 'example.com')).toBe('503');
    // Something else keeps the listener open.
    await tell('POST', '/api/routes', { domain: 'b.com', containers: [one] });
    await put({ status: 'inactive' });
    expect(await answer(port, 'example.com')).toBe('404');
    await put({ status: 'active', containers: ['web9'] }).then(({ status, body }) => {
      expect(status).toBe(400);
      expect(body).toEqual({ error: expect.stringContaining("'web9' is nowhere") });
    });

    await renameContainers(first, port, one, two);
    await first.served.prove(engine);
    first.served.program.child.kill('SIGTERM');
    await first.served.program.exited;
    const after = await started(engine, folder, port, one);
    expect(await answer(port, 'example.com')).toBe('two');
    for (const name of ['example.com', 'b.com']) {
      expect((await after.tell('DELETE', `/api/routes/${name}`)).status).toBe(200);
    }
    expect((await after.tell('DELETE', '/api/routes/b.com')).status).toBe(404);
    expect((await after.tell('DELETE', '/api/containers/web9')).status).toBe(200);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual([]);
  });
});

it('what cannot be is refused with a reason, and nothing changes', async () => {
  const one = await named(scene, 'one');
  const port = await deadPort();
  const { tell, served } = await started('epoll', scene.folder(), await deadPort(), one);
  const upstreams = [{ Target: '127.0.0.1', Port: portOf(one) }];
  const post = (body: object): Promise<Told> => tell('POST', '/server', body);
  // Somebody has the port.
  const other = createServer().listen(port, '0.0.0.0');
  scene.after(() => other.close());
  await once(other, 'listening');
  const taken = await post({ address: `:${port}`, upstreams });
  expect(taken.status).toBe(409);
  expect(taken.body).toEqual({ message: expect.stringMatching(/EADDRINUSE|in use/) });
  expect((await tell('GET', '/')).body).toEqual([]);

  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ address: 'nowhere', upstreams }, /address: expected an address such as/],
    [{ address: ':80', upstreams: [{ Target: 'a b', Port: 1 }] }, /upstreams\[0\]\.Target/],
    [{ address: ':80', upstreams: [{ Target: 'a' }] }, /upstreams\[0\]\.Port/],
    [{ address: ':80', upstreams, fallbacks: { 'a-1': {} } }, /fallbacks: expected none/],
    [{ address: ':80', upstreams: [...upstreams, ...upstreams] }, /each Target and Port once/],
  ];
  for (const [body, pattern] of wrong) {
    const told = await post(body);
    expect([told.status, JSON.stringify(told.body)]).toEqual([400, expect.stringMatching(pattern)]);
  }
  const hash = await tell('POST', '/api/routes', {
    domain: 'a.com',
    containers: [one],
    strategy: 'ip_hash',
  });
  expect(hash.status).toBe(400);
  expect(hash.body).toEqual({
    error: expect.stringContaining("there is no ip_hash: expected 'round_robin'"),
  });
  const twice = await tell('POST', '/api/routes', { domain: 'a.com', containers: [one, one] });
  expect([twice.status, twice.body]).toEqual([400, { error: expect.stringContaining('twice') }]);
  expect((await tell('GET', '/api/routes')).body).toEqual([]);
  expect(
    (await served.metrics()).one('sluice_listener_connections_total', { listener: 'in' }),
  ).toBe(0);
});
