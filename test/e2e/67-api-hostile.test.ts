// Whatever is sent to the admin API is answered, never with 500; and traffic does not notice.
import { join } from 'node:path';
import {
  assert,
  asyncProperty,
  constantFrom,
  json,
  jsonValue,
  oneof,
  record,
  string,
} from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import type { LoadBalancer } from '../../src/index.ts';
import { createLoadBalancer } from '../../src/index.ts';
import { createLogger } from '../../src/log.ts';
import { ask } from '../fixtures/admin-api.ts';
import { proveServed } from '../fixtures/balancers.ts';
import type { Target } from '../fixtures/clients.ts';
import { httpConfig } from '../fixtures/http-balancers.ts';
import { askOnce, get } from '../fixtures/http-clients.ts';
import { startHttpOrigin } from '../fixtures/http-origins.ts';
import { buildOnce, runSluice, startHttpProcess, targetOf } from '../fixtures/programs.ts';
import { useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => buildOnce());

async function started(): Promise<{ lb: LoadBalancer; admin: Target; failures: string[] }> {
  const { address } = await startHttpOrigin(scene, undefined, { name: 'one' });
  const failures: string[] = [];
  const logger = createLogger({
    level: 'error',
    format: 'json',
    write: (line) => void failures.push(line),
  });
  const config = httpConfig('epoll', [address], {
    more: { admin: { listen: '127.0.0.1:0' }, stateFile: join(scene.folder(), 'state.json') },
  });
  const lb = await createLoadBalancer(config, {
    logger,
    dialects: { domainsListen: '127.0.0.1:0' },
  });
  scene.after(async () => {
    await proveServed(lb, 'epoll');
    await lb.close({ timeout: 0 });
  });
  return { lb, admin: targetOf(lb.adminAddress ?? ''), failures };
}

const methods = constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS');
// Names that exist, names that may, and anything.
const word = oneof(
  constantFrom('web', 'in', 'x', ':1', 'a.example', '127.0.0.1:1', '127.0.0.1-1', '%00', '..'),
  string({ maxLength: 12 }).map(encodeURIComponent),
);
const path = oneof(
  constantFrom('/', '/server', '/api/routes', '/api/containers', '/api/v1/config', '/health'),
  constantFrom('/api/v1/events', '/api/v1/images', '/api/v1/config/reload', '/metrics'),
  word.map((name) => `/api/v1/pools/${name}`),
  word.map((name) => `/api/v1/routes/${name}`),
  word.map((name) => `/api/v1/listeners/${name}`),
  word.map((name) => `/api/v1/pools/web/backends/${name}`),
  word.map((name) => `/api/v1/pools/web/backends/${name}/drain?timeout=${name}`),
  word.map((name) => `/api/v1/pools/${name}/backends`),
  word.map((name) => `/server/${name}`),
  word.map((name) => `/server/${name}/filter`),
  word.map((name) => `/server/:1/upstream/${name}`),
  word.map((name) => `/api/routes/${name}`),
  word.map((name) => `/api/containers/${name}`),
  word.map((name) => `/ui/${name}`),
);
const keys = constantFrom(
  'address',
  'backends',
  'weight',
  'strategy',
  'listen',
  'mode',
  'routes',
  'pool',
  'hosts',
  'domain',
  'containers',
  'status',
  'upstreams',
  'Target',
  'Port',
  'Hosts',
  'image',
  '__proto__',
);
const value = oneof(
  jsonValue({ maxDepth: 3 }),
  constantFrom('127.0.0.1:1', 'web', 'http', 1, null),
);
const object = record({ a: keys, b: keys, c: keys, x: value, y: value, z: value }).map(
  ({ a, b, c, x, y, z }) =>
    `{"${a}":${JSON.stringify(x)},"${b}":${JSON.stringify(y)},"${c}":${JSON.stringify(z)}}`,
);
const body = oneof(object, json({ maxDepth: 4 }), string());
const type = constantFrom(
  'application/json',
  'application/x-www-form-urlencoded',
  'text/plain',
  '',
);

it('answers anything, and knows why it refuses it', async () => {
  const { admin, failures, lb } = await started();
  const answered = new Map<number, number>();
  await assert(
    asyncProperty(methods, path, body, type, async (method, target, text, media) => {
      // The stream of events has no end.
      if (method === 'GET' && target.startsWith('/api/v1/events')) return;
      const bare = method === 'GET' || method === 'HEAD';
      const headers = { 'content-type': media || 'application/json' };
      const sent = bare ? {} : { headers, body: text };
      const { status } = await ask(admin, target, { method, ...sent });
      answered.set(status, (answered.get(status) ?? 0) + 1);
      expect(status).toBeLessThan(500);
    }),
    { numRuns: 400 },
  );
  expect(failures).toEqual([]);
  // Each of these was met: what was sent reached all the checks.
  for (const status of [200, 400, 404, 405, 415, 422])
    expect([...answered.keys()]).toContain(status);
  expect((await askOnce(lb.address('in') as Target, get('/'))).status).toBe(200);
});

it('leaves traffic alone while it is asked by many', async () => {
  const { address } = await startHttpProcess(scene, 'one');
  const served = await runSluice(scene, httpConfig('epoll', [address]));
  const paths = ['/metrics', '/api/v1/pools', '/api/v1/config', '/api/metrics'];
  const end = performance.now() + 1000;
  let asked = 0;
  const crowd = Array.from({ length: 4 }, async (_, nth) => {
    while (performance.now() < end) {
      expect((await ask(served.admin, paths[nth] ?? '')).status).toBe(200);
      asked++;
    }
  });
  let answered = 0;
  const traffic = Array.from({ length: 4 }, async () => {
    while (performance.now() < end) {
      expect((await askOnce(served.address(), get('/'))).status).toBe(200);
      answered++;
    }
  });
  await Promise.all([...crowd, ...traffic]);
  expect(asked).toBeGreaterThan(4);
  expect(answered).toBeGreaterThan(4);
});
