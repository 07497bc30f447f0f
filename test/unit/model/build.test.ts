import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { resolveDesired } from '../../../src/config/resolve.ts';
import type { SluiceError } from '../../../src/errors.ts';
import { build } from '../../../src/model/build.ts';
import { merge } from '../../../src/providers/merge.ts';

async function built(config: unknown) {
  return build(merge([await resolveDesired(parseConfig(config, 'api'))]).model);
}

const listener = (listen: unknown, pool = 'web') => ({ listen, mode: 'tcp', routes: [{ pool }] });

describe('build', () => {
  it('accepts what fits together', async () => {
    const model = await built({
      listeners: { a: listener(':0'), b: listener(':0') },
      pools: { web: {} },
    });
    expect([...model.listeners.keys()]).toEqual(['a', 'b']);
  });

  it('collects what does not', async () => {
    const error = (await built({
      listeners: {
        a: listener('127.0.0.1:80'),
        b: listener('127.0.0.1:80', 'api'),
        c: listener({ descriptors: [3, 4] }),
        d: listener('fd:4'),
      },
      pools: { web: {} },
    }).catch((e) => e)) as SluiceError;
    expect(error.issues.map(({ path }) => path)).toEqual([
      'listeners.b.routes[0].pool',
      'listeners.b.listen',
      'listeners.d.listen',
    ]);
    expect(error.issues[0]).toMatchObject({ value: 'api', expected: "one of the pools 'web'" });
  });

  it('keeps within the limits', async () => {
    const backends = (net: number) =>
      Array.from({ length: 9000 }, (_, i) => `10.${net}.${i >> 8}.${i & 255}:80`);
    const pools = { web: { backends: backends(1) }, api: { backends: backends(2) } };
    const error = (await built({ listeners: {}, pools }).catch((e) => e)) as SluiceError;
    expect(error.issues).toEqual([
      expect.objectContaining({ path: 'pools', value: 18_000, expected: 'at most 16384 backends' }),
    ]);
  });

  it('names a pool that is missing once, whatever the hosts', async () => {
    const routes = [{ pool: 'web' }, { hosts: ['a.example', 'b.example'], pool: 'none' }];
    const listeners = { in: { listen: ':80', mode: 'http', routes } };
    const error = (await built({ listeners, pools: { web: {} } }).catch((e) => e)) as SluiceError;
    expect(error.issues.map(({ path }) => path)).toEqual(['listeners.in.routes[1].pool']);
  });

  it('has room for so many routes, of so many bytes, and trusted proxies', async () => {
    const long = 'x'.repeat(600);
    const routes = (count: number) =>
      Array.from({ length: count }, (_, index) => ({
        pathPrefix: `/${long}${index}`,
        pool: 'web',
      }));
    const trustedProxies = Array.from(
      { length: 600 },
      (_, index) => `10.0.${index >> 8}.${index & 255}`,
    );
    const listeners = Object.fromEntries(
      [1, 2].map((port) => [
        `in${port}`,
        { listen: `127.0.0.1:${port}`, mode: 'http', routes: routes(2100), trustedProxies },
      ]),
    );
    const error = (await built({ listeners, pools: { web: {} } }).catch((e) => e)) as SluiceError;
    expect(error.issues.map(({ expected }) => expected)).toEqual([
      'at most 4096 routes',
      'at most 2097152 bytes of hosts and path prefixes',
      'at most 1024 trusted proxies',
    ]);
  });
});
