// Listeners of mode http.
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import type { Issue, SluiceError } from '../../../src/errors.ts';

const config = (more: Record<string, unknown>, pool: Record<string, unknown> = {}) => ({
  listeners: { web: { listen: ':80', mode: 'http', routes: [{ pool: 'app' }], ...more } },
  pools: { app: pool },
});
const listenerOf = (more: Record<string, unknown>) => {
  const listener = parseConfig(config(more), 'api').listeners.get('web');
  if (listener === undefined) throw new Error('no listener');
  return listener;
};
function issuesOf(input: unknown): readonly Issue[] {
  try {
    parseConfig(input, 'api');
  } catch (error) {
    return (error as SluiceError).issues;
  }
  return [];
}
const issuesWith = (more: Record<string, unknown>): readonly Issue[] => issuesOf(config(more));

describe('a listener of mode http', () => {
  it('has defaults', () => {
    expect(listenerOf({})).toMatchObject({
      mode: 'http',
      routes: [{ host: '', pathPrefix: '', pool: 'app' }],
      http: {
        requestHeadTimeoutMs: 10_000,
        clientIdleTimeoutMs: 60_000,
        bodyTimeoutMs: 60_000,
        tunnelIdleTimeoutMs: 3_600_000,
        headBytesMax: 16_384,
        targetBytesMax: 8192,
        fieldsMax: 128,
        bodyBytesMax: 0,
        via: false,
        serverClose: false,
        trustedProxies: [],
      },
    });
    const pool = parseConfig(config({}), 'api').pools.get('app');
    expect(pool?.settings?.http).toEqual({
      responseHeadTimeoutMs: 60_000,
      bodyTimeoutMs: 60_000,
      keepAliveIdleMs: 4000,
      keepAliveRequestsMax: 0,
      idleMax: 256,
    });
  });

  it('takes what is stated', () => {
    const listener = listenerOf({
      timeouts: { requestHead: '1s', clientIdle: '2s', body: '3s', tunnelIdle: '4s' },
      limits: { headBytes: '32KiB', headerCount: 7, targetBytes: '1.5KiB', bodyBytes: '4095MiB' },
      trustedProxies: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1'],
      via: true,
      serverClose: true,
    });
    expect(listener.http).toEqual({
      requestHeadTimeoutMs: 1000,
      clientIdleTimeoutMs: 2000,
      bodyTimeoutMs: 3000,
      tunnelIdleTimeoutMs: 4000,
      headBytesMax: 32_768,
      fieldsMax: 7,
      bodyBytesMax: 4_293_918_720,
      targetBytesMax: 1536,
      via: true,
      serverClose: true,
      trustedProxies: [
        { words: [0, 0, 0xffff0000, 0x0000000a], prefixBits: 104, text: '10.0.0.0/8' },
        { words: [0xb80d0120, 0, 0, 0], prefixBits: 32, text: '2001:db8::/32' },
        { words: [0, 0, 0xffff0000, 0x010200c0], prefixBits: 128, text: '192.0.2.1' },
      ],
    });
    const stated = {
      keepAlive: { idleTimeout: '9s', maxRequests: 8, maxIdle: 0 },
      timeouts: { responseHead: '7s', body: '6s' },
    };
    expect(parseConfig(config({}, stated), 'api').pools.get('app')?.settings?.http).toEqual({
      responseHeadTimeoutMs: 7000,
      bodyTimeoutMs: 6000,
      keepAliveIdleMs: 9000,
      keepAliveRequestsMax: 8,
      idleMax: 0,
    });
  });

  it('makes one route of each host, and takes none', () => {
    const { routes } = listenerOf({
      routes: [
        { hosts: ['WWW.Example.com', '*.Example.com'], pathPrefix: '/a/', pool: 'app' },
        { pathPrefix: '/', pool: 'app' },
      ],
    });
    expect(routes.map(({ host, pathPrefix, stated }) => [host, pathPrefix, stated])).toEqual([
      ['www.example.com', '/a', 0],
      ['*.example.com', '/a', 0],
      ['', '', 1],
    ]);
    expect(listenerOf({ routes: [] }).routes).toEqual([]);
  });

  it('refuses the same host and path prefix twice, and names both places', () => {
    const routes = [
      { hosts: ['a.example', 'b.example'], pathPrefix: '/x/%7eme', pool: 'app' },
      { pathPrefix: '/x', pool: 'app' },
      { hosts: ['c.example', 'B.example'], pathPrefix: '/x/y/../~me/', pool: 'app' },
      { pathPrefix: '/x/', pool: 'app' },
    ];
    expect(issuesWith({ routes })).toEqual([
      {
        path: 'listeners.web.routes[2].hosts[1]',
        value: 'B.example',
        expected: 'each host and path prefix once',
        message:
          "listeners.web.routes[0].hosts[1] is for host 'b.example' and path '/x/~me' already",
      },
      expect.objectContaining({
        path: 'listeners.web.routes[3]',
        message: "listeners.web.routes[1] is for every host and path '/x' already",
      }),
    ]);
  });

  it.each([
    [{ timeouts: { body: '0s' } }, 'timeouts.body', 'more than 0'],
    [{ timeouts: { all: '1s' } }, 'timeouts.all', 'a known key'],
    [{ limits: { headBytes: '1000B' } }, 'limits.headBytes', 'from 1KiB to 64KiB'],
    [{ limits: { headBytes: '65KiB' } }, 'limits.headBytes', 'from 1KiB to 64KiB'],
    [{ limits: { headBytes: 4096 } }, 'limits.headBytes', 'a size like'],
    [{ limits: { bodyBytes: '4GiB' } }, 'limits.bodyBytes', 'from 1B to 4095MiB'],
    [{ limits: { headerCount: 257 } }, 'limits.headerCount', 'from 1 to 256'],
    [{ limits: { targetBytes: '1' } }, 'limits.targetBytes', 'a size like'],
    [{ trustedProxies: ['10.0.0.1/8'] }, 'trustedProxies[0]', 'without bits behind the prefix'],
    [{ trustedProxies: ['::1/129'] }, 'trustedProxies[0]', 'a range like'],
    [{ trustedProxies: ['proxy.example'] }, 'trustedProxies[0]', 'a range like'],
    [{ via: 'yes' }, 'via', 'true or false'],
    [{ serverClose: 1 }, 'serverClose', 'true or false'],
    [{ idleTimeout: '1s' }, 'idleTimeout', 'only in mode tcp'],
    [{ routes: [{ hosts: [], pool: 'app' }] }, 'routes[0].hosts', 'at least one host'],
    [{ routes: [{ hosts: 'a', pool: 'app' }] }, 'routes[0].hosts', 'a list like'],
    [{ routes: [{ host: 'a', pool: 'app' }] }, 'routes[0].host', 'a known key'],
    [{ routes: [{ pathPrefix: 'a', pool: 'app' }] }, 'routes[0].pathPrefix', "begins with '/'"],
  ])('refuses %j', (more, path, expected) => {
    const issues = issuesWith(more);
    expect(issues.map((issue) => issue.path)).toEqual([`listeners.web.${path}`]);
    expect(issues[0]?.expected).toContain(expected);
    const first = Object.values(more)[0] as unknown;
    if (typeof first !== 'object') expect(issues[0]?.value).toBe(first);
  });
});

it('refuses keys of http in mode tcp, each with its path and value', () => {
  const more = {
    timeouts: { body: '1s' },
    limits: {},
    trustedProxies: [],
    via: true,
    serverClose: false,
  };
  const issues = issuesOf(config({ mode: 'tcp', ...more }));
  expect(issues).toEqual(
    Object.entries(more).map(([key, value]) => ({
      path: `listeners.web.${key}`,
      value,
      expected: `'${key}' only in mode http`,
      message: `expected '${key}' only in mode http`,
    })),
  );
  const routes = [{ pool: 'app', hosts: ['a.example'], pathPrefix: '/' }];
  expect(issuesOf(config({ mode: 'tcp', routes })).map(({ path }) => path)).toEqual([
    'listeners.web.routes[0].hosts',
    'listeners.web.routes[0].pathPrefix',
  ]);
});
