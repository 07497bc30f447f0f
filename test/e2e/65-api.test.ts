// The native admin API of a running balancer: every operation, held against its OpenAPI document;
// what is written is in force when the answer comes.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { BackendAnswer, ConfigAnswer, PoolAnswer } from '../../src/admin/api-types.ts';
import type { LoadBalancer } from '../../src/index.ts';
import {
  type ApiDocument,
  type Asked,
  ask,
  Conformance,
  type Told,
} from '../fixtures/admin-api.ts';
import { startBalancer } from '../fixtures/balancers.ts';
import { openClient, type Target } from '../fixtures/clients.ts';
import { httpConfig } from '../fixtures/http-balancers.ts';
import { askOnce, get } from '../fixtures/http-clients.ts';
import { startHttpOrigin } from '../fixtures/http-origins.ts';
import { targetOf, writeConfig } from '../fixtures/programs.ts';
import { type Engine, forEachEngine, type Scene, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();

interface Api {
  readonly lb: LoadBalancer;
  readonly admin: Target;
  readonly checked: Conformance;
  // `method path` as in the document, with what the parameters are.
  tell(
    operation: string,
    parameters?: Readonly<Record<string, string>>,
    asked?: Asked & { readonly query?: string },
  ): Promise<Told>;
}

async function startApi(engine: Engine, backends: readonly string[]): Promise<Api> {
  const config = httpConfig(engine, backends, {
    more: { admin: { listen: '127.0.0.1:0' }, stateFile: join(scene.folder(), 'state.json') },
  });
  const lb = await startBalancer(scene, { file: writeConfig(scene, config) }, engine);
  const admin = targetOf(lb.adminAddress ?? '');
  const { body } = await ask(admin, '/api/v1/openapi.json');
  const checked = new Conformance(body as ApiDocument);
  return {
    lb,
    admin,
    checked,
    async tell(operation, parameters = {}, { query = '', ...asked } = {}) {
      const [method = '', path = ''] = operation.split(' ');
      const made = path.replace(/\{(\w+)\}/g, (_, name: string) =>
        encodeURIComponent(parameters[name] ?? ''),
      );
      const told = await ask(admin, `${made}${query}`, { method, ...asked });
      checked.check(method, path, told);
      return told;
    },
  };
}

const origins = async (given: Scene, ...names: string[]): Promise<string[]> =>
  (await Promise.all(names.map((name) => startHttpOrigin(given, undefined, { name })))).map(
    ({ address }) => address,
  );

async function answeredBy(target: Target): Promise<string> {
  return (await askOnce(target, get('/'))).text.split(' ')[0] ?? '';
}

async function changeBackends({ tell, lb, admin }: Api, a: string, b: string): Promise<void> {
  const pool = { pool: 'web' };
  const ofB = { pool: 'web', backend: b };
  const backends = 'api/v1/pools/{pool}/backends';
  const made = await tell(`POST /${backends}`, pool, { body: { address: b, weight: 3 } });
  expect(made.status).toBe(201);
  expect(made.body).toMatchObject({ id: b, weight: 3, state: 'up' });
  const again = await ask(admin, String(made.headers.location));
  expect(again.body).toMatchObject({ id: b });
  await tell(`GET /${backends}/{backend}`, ofB);
  const patched = await tell(`PATCH /${backends}/{backend}`, ofB, { body: { weight: 7 } });
  expect(patched.body).toMatchObject({ weight: 7 });
  expect(lb.pool('web').backends()).toMatchObject([{ id: a }, { id: b, weight: 7 }]);
  const drained = await tell(`POST /${backends}/{backend}/drain`, ofB, { query: '?wait=true' });
  expect(drained.body).toEqual({ state: 'drained', cut: 0 });
  expect(lb.pool('web').backends()[1]).toMatchObject({ state: 'drained' });
  const up = await tell(`POST /${backends}/{backend}/undrain`, ofB);
  expect(up.body).toMatchObject({ state: 'up' });
  const removed = await tell(`DELETE /${backends}/{backend}`, ofB, { query: '?wait=true' });
  expect(removed.body).toEqual({ state: 'removed', cut: 0 });
  expect(lb.pool('web').backends()).toHaveLength(1);
}

async function changeDefinitions({ tell, lb }: Api, b: string): Promise<void> {
  const target = lb.address('in') as Target;
  const body = { backends: [b], strategy: 'least_connections' };
  await tell('PUT /api/v1/pools/{pool}', { pool: 'other' }, { body });
  const route = { listener: 'in', hosts: ['a.example'], pool: 'other' };
  await tell('PUT /api/v1/routes/{id}', { id: 'r 1' }, { body: route });
  expect(await answeredBy(target)).toBe('b');
  const routes = (await tell('GET /api/v1/routes')).body;
  expect(routes).toContainEqual(
    expect.objectContaining({ id: 'r 1', host: 'a.example', pool: 'other', source: 'api' }),
  );
  const listener = { listen: '127.0.0.1:0', mode: 'http', routes: [{ pool: 'other' }] };
  await tell('PUT /api/v1/listeners/{listener}', { listener: 'second' }, { body: listener });
  expect(await answeredBy(lb.address('second') as Target)).toBe('b');
  const { differences } = (await tell('GET /api/v1/config/diff')).body as {
    differences: { path: string; kind: string }[];
  };
  expect(differences.map(({ path, kind }) => `${kind} ${path}`)).toEqual([
    expect.stringMatching(/^added listeners\.in\.routes\[a\.example/),
    'added listeners.second',
    'added pools.other',
  ]);
  const { overrides, file } = (await tell('GET /api/v1/config')).body as ConfigAnswer;
  expect(Object.keys(overrides['pools'] as object)).toEqual(['other']);
  expect(file).toMatch(/sluice\.json$/);
}

async function takeBack({ tell, lb }: Api): Promise<void> {
  const target = lb.address('in') as Target;
  await tell('DELETE /api/v1/listeners/{listener}', { listener: 'second' });
  await tell('DELETE /api/v1/routes/{id}', { id: 'r 1' });
  await tell('DELETE /api/v1/pools/{pool}', { pool: 'other' });
  expect(await answeredBy(target)).toBe('a');
  await tell('POST /api/v1/config/reload');
  const image = { image: 'nginx', listen: ':8081', port: 80 };
  await tell('PUT /api/v1/images', {}, { body: image });
  expect((await tell('GET /api/v1/images')).body).toEqual([image]);
  await tell('DELETE /api/v1/images/{listen}', { listen: '8081' });
}

forEachEngine((engine) => {
  it('serves every operation of its document as the document says', async () => {
    const [a = '', b = ''] = await origins(scene, 'a', 'b');
    const api = await startApi(engine, [a]);
    const { tell, lb } = api;
    const target = lb.address('in') as Target;
    expect(await answeredBy(target)).toBe('a');
    for (const path of ['version', 'memory', 'health', 'stats', 'listeners', 'routes', 'pools']) {
      expect((await tell(`GET /api/v1/${path}`)).status).toBe(200);
    }
    for (const path of ['config', 'config/diff', 'containers', 'images']) {
      expect((await tell(`GET /api/v1/${path}`)).status).toBe(200);
    }
    await tell('GET /api/v1/listeners/{listener}', { listener: 'in' });
    await tell('GET /api/v1/pools/{pool}', { pool: 'web' });
    await tell('GET /api/v1/pools/{pool}/backends', { pool: 'web' });

    await changeBackends(api, a, b);
    await changeDefinitions(api, b);
    await takeBack(api);
    expect(api.checked.unmet).toEqual(['get /api/v1/events']);
  });

  it('counts what was served, as its clients did', async () => {
    const [a = ''] = await origins(scene, 'a');
    const { tell, lb } = await startApi(engine, [a]);
    const target = lb.address('in') as Target;
    for (let nth = 0; nth < 20; nth++) await askOnce(target, get('/'));
    const counted = { total: 20, classes: { '2xx': 20, '5xx': 0 } };
    const [pool] = (await tell('GET /api/v1/pools')).body as PoolAnswer[];
    expect(pool?.requests).toMatchObject(counted);
    expect(pool?.backends).toMatchObject([{ id: a, requestsTotal: 20 }]);
    expect((await tell('GET /api/v1/listeners')).body).toMatchObject([{ requests: counted }]);
    expect((await tell('GET /api/v1/routes')).body).toMatchObject([{ requests: counted }]);
    const stats = (await tell('GET /api/v1/stats')).body as { requests: { latency: object } };
    expect(stats.requests).toMatchObject(counted);
    expect(stats.requests.latency).toMatchObject({ p50: expect.any(Number) });
  });
});

it('lets one of two writers win who saw the same state', async () => {
  const [a = ''] = await origins(scene, 'a');
  const { tell, lb, admin } = await startApi('epoll', [a]);
  const path = '/api/v1/pools/raced';
  const put = (weight: number, headers: Record<string, string>): Promise<Told> =>
    ask(admin, path, { method: 'PUT', headers, body: { backends: [{ address: a, weight }] } });
  // Each wants what is not there yet: who changes nothing takes nothing from others.
  let least = 0;
  const race = async (headers: Record<string, string>): Promise<number> => {
    least += 10;
    const weights = [0, 1, 2, 3, 4].map((more) => least + more);
    const told = await Promise.all(weights.map((weight) => put(weight, headers)));
    const won = told.findIndex(({ status }) => status === 200);
    expect(told.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412, 412]);
    return weights[won] ?? 0;
  };
  // Who makes it, and who changes it.
  const first = await race({ 'if-none-match': '*' });
  expect(lb.pool('raced').backends()).toMatchObject([{ weight: first }]);
  const { etag = '' } = (await tell('GET /api/v1/pools/{pool}', { pool: 'raced' })).headers;
  const second = await race({ 'if-match': etag });
  expect(lb.pool('raced').backends()).toMatchObject([{ weight: second }]);
  // By the configuration as a whole, and live words too.
  const whole = String((await tell('GET /api/v1/config')).headers.etag);
  const third = await race({ 'if-match': whole });
  expect(lb.pool('raced').backends()).toMatchObject([{ weight: third }]);
  const backend = `${path}/backends/${encodeURIComponent(a)}`;
  const { headers } = await ask(admin, backend);
  const match = { 'if-match': String(headers.etag) };
  const live = await Promise.all(
    [110, 111, 112].map((weight) =>
      ask(admin, backend, { method: 'PATCH', headers: match, body: { weight } }),
    ),
  );
  expect(live.map(({ status }) => status).sort()).toEqual([200, 412, 412]);
  const stale = await ask(admin, `${backend}/drain`, { method: 'POST', headers: match });
  expect(stale.status).toBe(412);
  expect((await ask(admin, path, { method: 'DELETE', headers: match })).status).toBe(412);
  expect((await ask(admin, path, { method: 'DELETE', headers: { 'if-match': '*' } })).status).toBe(
    200,
  );
  expect((await put(1, { 'if-match': '*' })).status).toBe(412);
});

it('answers a drain at once, or when it is over; what lasts longer is cut', async () => {
  const [a = '', b = ''] = await origins(scene, 'a', 'b');
  const config = httpConfig('epoll', [a, b], { more: { admin: { listen: '127.0.0.1:0' } } });
  const lb = await startBalancer(scene, {
    ...config,
    listeners: { in: { listen: '127.0.0.1:0', mode: 'tcp', routes: [{ pool: 'web' }] } },
  });
  const admin = targetOf(lb.adminAddress ?? '');
  await openClient(scene, lb.address('in') as Target);
  await until('it is balanced', () =>
    lb
      .pool('web')
      .backends()
      .some(({ inFlight }) => inFlight === 1),
  );
  const busy =
    lb
      .pool('web')
      .backends()
      .find(({ inFlight }) => inFlight === 1)?.id ?? '';
  const path = `/api/v1/pools/web/backends/${encodeURIComponent(busy)}`;
  const drain = (query: string): Promise<Told> =>
    ask(admin, `${path}/drain${query}`, { method: 'POST' });
  expect((await drain('?timeout=1h')).body).toEqual({ state: 'draining' });
  const state = (await ask(admin, path)).body as BackendAnswer;
  expect(state).toMatchObject({ state: 'draining', connections: 1 });
  expect((await drain('?timeout=10ms&wait=true')).body).toEqual({ state: 'drained', cut: 1 });
  expect((await drain('?timeout=soon')).body).toMatchObject({ code: 'ERR_SLUICE_ARGUMENT' });
  expect((await drain('?later=1')).status).toBe(400);
});

it('says what is wrong, where, and what was expected', async () => {
  const [a = ''] = await origins(scene, 'a');
  const { tell, admin } = await startApi('epoll', [a]);
  const wrong = await tell(
    'PUT /api/v1/pools/{pool}',
    { pool: 'x' },
    {
      body: { backends: ['nowhere'], strategy: 'best', more: 1 },
    },
  );
  expect(wrong.status).toBe(422);
  const { issues, code } = wrong.body as { issues: { path: string }[]; code: string };
  expect(code).toBe('ERR_SLUICE_CONFIG');
  expect(issues.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['backends[0]', 'strategy']),
  );
  const used = await tell('DELETE /api/v1/pools/{pool}', { pool: 'web' });
  expect(used.body).toMatchObject({ status: 409, code: 'ERR_SLUICE_NOT_OVERRIDDEN' });
  const none = await tell('GET /api/v1/pools/{pool}', { pool: 'none' });
  expect(none.body).toMatchObject({ status: 404, code: 'ERR_SLUICE_NO_POOL' });
  const twice = await tell(
    'POST /api/v1/pools/{pool}/backends',
    { pool: 'web' },
    {
      body: { address: a },
    },
  );
  expect(twice.body).toMatchObject({ status: 409, code: 'ERR_SLUICE_BACKEND_EXISTS' });
  const put = (headers: Record<string, string>, body: string): Promise<Told> =>
    ask(admin, '/api/v1/pools/x', { method: 'PUT', headers, body });
  expect((await put({}, '{"backends":')).status).toBe(400);
  expect((await put({}, '{"__proto__":{}}')).status).toBe(400);
  expect((await put({ 'content-type': 'text/plain' }, '{}')).status).toBe(415);
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  expect((await put(form, '{}')).status).toBe(415);
  expect((await put({}, `{"backends":["${'x'.repeat(1024 * 1024)}"]}`)).status).toBe(413);
  const method = await ask(admin, '/api/v1/pools/x', { method: 'POST', body: {} });
  expect(method.status).toBe(405);
  expect(method.headers.allow).toBe('GET, PUT, DELETE, HEAD');
});
