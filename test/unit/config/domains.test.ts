import { describe, expect, it } from 'vitest';
import { domains, routeDomain } from '../../../src/config/domains.ts';
import { parseConfig } from '../../../src/config/load.ts';

describe('domains', () => {
  it('become a listener with a route and a pool for each', () => {
    const config = domains([
      routeDomain('Example.com', (r) =>
        r
          .container('web1', 'web1:8080')
          .container('web2', 'web2:8080', { weight: 2 })
          .strategy('round_robin')
          .healthCheck('/ready'),
      ),
      routeDomain('*.example.com', (r) =>
        r.container('web3', '10.0.0.3:80').healthCheck({ type: 'tcp', interval: '1s' }),
      ),
    ]);
    expect(config).toEqual({
      listeners: {
        domains: {
          listen: ':8080',
          mode: 'http',
          routes: [
            { hosts: ['example.com'], pool: 'example.com' },
            { hosts: ['*.example.com'], pool: 'wildcard.example.com' },
          ],
        },
      },
      pools: {
        'example.com': {
          strategy: 'round_robin',
          healthCheck: { path: '/ready' },
          backends: ['web1:8080', { address: 'web2:8080', weight: 2 }],
        },
        'wildcard.example.com': {
          healthCheck: { type: 'tcp', interval: '1s' },
          backends: ['10.0.0.3:80'],
        },
      },
    });
    expect(parseConfig(config, 'api').listeners.get('domains')?.routes).toHaveLength(2);
  });

  it('are valid whatever their hosts are called', () => {
    const long = (end: string): string => `${'a'.repeat(60)}.${'b'.repeat(20)}.${end}`;
    const hosts = ['_dmarc.example', 'x_dmarc.example', long('one'), long('two'), '*.example'];
    const config = domains(hosts.map((host) => routeDomain(host, (r) => r)));
    expect(parseConfig(config, 'api').pools.size).toBe(5);
  });

  it('listen where they are told', () => {
    const given = domains([], { listen: '127.0.0.1:9000', listener: 'web' });
    expect(given.listeners?.['web']?.listen).toBe('127.0.0.1:9000');
  });

  it('refuse what is stated twice, and hosts that are none', () => {
    const one = routeDomain('a.example', (r) => r);
    expect(() => domains([one, one])).toThrow(/domain is "a\.example".*each domain once/);
    expect(() => routeDomain('a.example:80', (r) => r)).toThrow(/a host without a port/);
    const twice = () =>
      routeDomain('a.example', (r) => r.container('web', 'a:1').container('web', 'b:1'));
    expect(twice).toThrow(/container is "web".*each name once/);
  });
});
