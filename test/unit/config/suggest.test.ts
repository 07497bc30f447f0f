import { describe, expect, it } from 'vitest';
import { checkConfig } from '../../../src/config/load.ts';
import { suggestion } from '../../../src/config/suggest.ts';

describe('a suggestion', () => {
  it.each([
    ['bakends', 'backends'],
    ['connect_timeout', 'connectTimeout'],
    ['STRATEGY', 'strategy'],
    ['startegy', 'strategy'],
    ['zzz', undefined],
    ['', undefined],
    ['_', undefined],
    ['x'.repeat(1000), undefined],
  ])('for %s is %s', (word, meant) => {
    expect(suggestion(word, ['backends', 'connectTimeout', 'strategy'])).toBe(meant);
  });
});

describe('what was meant', () => {
  const meantIn = (input: unknown): Record<string, string | undefined> =>
    Object.fromEntries(checkConfig(input, 'f').issues.map(({ path, meant }) => [path, meant]));

  it('is told for keys, by the mode of a listener, and for values', () => {
    expect(
      meantIn({
        listners: {},
        engine: 'iouring',
        workers: 'atuo',
        listeners: {
          a: { listen: ':1', mode: 'http', routes: [{ pol: 'x', pool: 'x' }], trustedProxy: [] },
          b: { listen: ':1', mode: 'tcp', routes: [{ pool: 'x' }], idletimeout: '1s' },
          c: { listen: ':1', mode: 'htp', routes: [] },
        },
        pools: { x: { strategy: 'least-connections', backends: [{ adress: 'a:1' }] } },
      }),
    ).toMatchObject({
      listners: 'listeners',
      engine: 'io_uring',
      workers: 'auto',
      'listeners.a.routes[0].pol': 'pool',
      'listeners.a.trustedProxy': 'trustedProxies',
      'listeners.b.idletimeout': 'idleTimeout',
      'listeners.c.mode': 'http',
      'pools.x.strategy': 'least_connections',
    });
  });
});
