import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  haproxyConfig,
  hosts,
  nginxConfig,
  type Setup,
  sluiceConfig,
} from '../../../bench/peer-configs.ts';
import { parseConfig } from '../../../src/config/load.ts';

const setup = (more: Partial<Setup>): Setup => ({
  root: '/repository',
  directory: '/tmp/somewhere',
  cpu: 0,
  port: 9810,
  adminPort: 9800,
  http: true,
  logs: false,
  origins: ['9801', '/tmp/origin.sock'],
  bodies: false,
  settleMs: 0,
  ...more,
});
const stream = 'load_module stream.so;';

describe("sluice's configuration", () => {
  const parsed = (more: Partial<Setup>) =>
    parseConfig(parse(sluiceConfig(setup(more), 'epoll')), 'api');

  it('has 100 routes for HTTP, one for TCP', () => {
    const routes = parsed({}).listeners.get('in')?.routes;
    expect(routes?.map(({ host }) => host)).toEqual(hosts);
    expect(hosts).toHaveLength(100);
    expect(parsed({ http: false }).listeners.get('in')).toMatchObject({
      mode: 'tcp',
      routes: [{ pool: 'web' }],
    });
  });

  it('takes ports and paths as backends', () => {
    const backends = parsed({}).pools.get('web')?.backends;
    expect([...(backends?.keys() ?? [])]).toEqual(['127.0.0.1:9801', 'unix:/tmp/origin.sock']);
  });
});

describe("the peers' configurations", () => {
  it('set the same forwarding headers for HTTP, and none for TCP', () => {
    const texts = (http: boolean): string[] => [
      haproxyConfig(setup({ http })),
      nginxConfig(setup({ http }), stream),
    ];
    const sets = [/option forwardfor|X-Forwarded-For /, /X-Forwarded-Proto /, /X-Forwarded-Host /];
    for (const text of texts(true)) for (const header of sets) expect(text).toMatch(header);
    for (const text of texts(false)) expect(text).not.toMatch(/forwarded/i);
  });

  it('reuse connections to the origins', () => {
    expect(haproxyConfig(setup({}))).toContain('http-reuse always');
    const nginx = nginxConfig(setup({}), stream);
    expect(nginx).toMatch(/upstream origins \{[^}]*keepalive 512;/);
    expect(nginx).toContain('proxy_http_version 1.1;');
    expect(nginx).toContain('proxy_set_header Connection "";');
    expect(nginx).not.toContain(stream);
  });

  it('take ports and paths as origins', () => {
    expect(haproxyConfig(setup({}))).toMatch(
      /server \w+ 127.0.0.1:9801\n.*unix@\/tmp\/origin.sock/,
    );
    expect(nginxConfig(setup({}), stream)).toMatch(/127.0.0.1:9801 .*\n.*unix:\/tmp\/origin.sock /);
  });
});
