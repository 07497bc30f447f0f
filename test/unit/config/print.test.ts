// What is printed of a model means that model, and how two of them differ is named by its place.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { differences } from '../../../src/config/differences.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { printModel } from '../../../src/config/print.ts';
import { resolveDesired } from '../../../src/config/resolve.ts';
import { diff, isEmpty } from '../../../src/model/diff.ts';
import type { Model } from '../../../src/model/types.ts';
import { merge } from '../../../src/providers/merge.ts';
import { root } from '../../fixtures/scene.ts';

const modelOf = async (config: unknown): Promise<Model> =>
  merge([await resolveDesired(parseConfig(config, 'file'))]).model;

const everything = {
  workers: 3,
  engine: 'epoll',
  maxConnections: 77,
  logLevel: 'warn',
  admin: { listen: '127.0.0.1:9123' },
  stateFile: '/tmp/state.json',
  dns: { servers: ['10.0.0.53', '[::1]:5353'], refresh: '1m' },
  listeners: {
    web: {
      listen: ':80',
      mode: 'http',
      maxConnections: 9,
      routes: [{ hosts: ['a.example', '*.b.example'], pathPrefix: '/api', pool: 'p' }],
      timeouts: { requestHead: '1500ms', clientIdle: '2m', body: '3s', tunnelIdle: '2h' },
      limits: { headBytes: '8KiB', headerCount: 9, targetBytes: '1KiB', bodyBytes: '3MiB' },
      trustedProxies: ['10.0.0.0/8', '::1/128'],
      via: true,
      serverClose: true,
    },
    raw: { listen: 'unix:/tmp/x', mode: 'tcp', idleTimeout: '1d', routes: [{ pool: 'q' }] },
    given: { listen: { descriptors: [3, 4] }, mode: 'tcp', routes: [{ pool: 'q' }] },
  },
  pools: {
    p: {
      strategy: 'p2c',
      backends: ['10.0.0.1:80', { address: '10.0.0.2:80', weight: 5 }],
      connectTimeout: '250ms',
      drainTimeout: '0s',
      keepAlive: { idleTimeout: '5s', maxRequests: 3, maxIdle: 4 },
      timeouts: { responseHead: '7s', body: '8s' },
      healthCheck: {
        path: '/up',
        host: 'a.example',
        statuses: [204, '300-399'],
        port: 81,
        interval: '3s',
        timeout: '1500ms',
        rise: 4,
        fall: 5,
      },
      ejection: { failures: 7, baseTime: '2m', maxTime: '3m' },
    },
    off: { healthCheck: {}, ejection: false },
    connects: { healthCheck: { type: 'tcp' }, ejection: { baseTime: '2m' } },
    q: { backends: ['[::1]:80', 'unix:/tmp/y'] },
  },
};

describe('a printed model', () => {
  const examples = readdirSync(join(root, 'examples')).filter(
    (name) => name.endsWith('.yaml') && !name.startsWith('compose'),
  );
  const configs: [string, unknown][] = examples.map((name) => [
    name,
    parse(readFileSync(join(root, 'examples', name), 'utf8')) as unknown,
  ]);
  it.each([...configs, ['everything', everything]])('means the same: %s', async (_, config) => {
    const model = await modelOf(config);
    const printed = printModel(model);
    const again = await modelOf(printed);
    expect(isEmpty(diff(model, again))).toBe(true);
    expect(again.settings).toEqual(model.settings);
    expect(differences(printed, printModel(again))).toEqual([]);
  });
});

describe('differences', () => {
  it('are named by their place, and order is none', async () => {
    const before = printModel(await modelOf(everything));
    const { web, given } = everything.listeners;
    const { p, ...others } = everything.pools;
    const after = printModel(
      await modelOf({
        ...everything,
        maxConnections: 78,
        listeners: { given, web: { ...web, routes: [{ pool: 'q' }] } },
        pools: {
          ...others,
          p: { ...p, backends: [{ address: '10.0.0.2:80', weight: 6 }, '10.0.0.3:80'] },
        },
      }),
    );
    expect(differences(before, after)).toEqual([
      { path: 'listeners.raw', kind: 'removed', before: expect.anything() },
      { path: 'listeners.web.routes[*.b.example/api]', kind: 'removed', before: expect.anything() },
      { path: 'listeners.web.routes[*/]', kind: 'added', after: { pool: 'q' } },
      { path: 'listeners.web.routes[a.example/api]', kind: 'removed', before: expect.anything() },
      { path: 'maxConnections', kind: 'changed', before: 77, after: 78 },
      { path: 'pools.p.backends[10.0.0.1:80]', kind: 'removed', before: expect.anything() },
      { path: 'pools.p.backends[10.0.0.2:80].weight', kind: 'changed', before: 5, after: 6 },
      { path: 'pools.p.backends[10.0.0.3:80]', kind: 'added', after: expect.anything() },
    ]);
  });
});
