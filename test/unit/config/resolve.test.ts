import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { resolveDesired } from '../../../src/config/resolve.ts';

const config = (backends: readonly string[]) => ({
  listeners: { in: { listen: 'me.example:80', mode: 'tcp', routes: [{ pool: 'web' }] } },
  pools: { web: { backends } },
});

describe('resolveDesired', () => {
  it('looks each name up once', async () => {
    const asked: string[] = [];
    const desired = await resolveDesired(
      parseConfig(config(['a.example:1', 'a.example:2', '10.0.0.1:3']), 'api'),
      async (host) => {
        asked.push(host);
        return host === 'me.example' ? '::1' : '10.9.9.9';
      },
    );
    expect(asked.sort()).toEqual(['a.example', 'me.example']);
    const backends = [...(desired.pools.get('web')?.backends.values() ?? [])];
    expect(backends.map(({ id, key }) => [id, key])).toEqual([
      ['a.example:1', 'a.example:1 10.9.9.9:1'],
      ['a.example:2', 'a.example:2 10.9.9.9:2'],
      ['10.0.0.1:3', '10.0.0.1:3'],
    ]);
    expect(desired.listeners.get('in')?.targetText).toBe('[::1]:80');
  });

  it('names every place whose name has no address', async () => {
    const failing = resolveDesired(parseConfig(config(['b.example:1']), 'api'), async () => {
      throw Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' });
    });
    await expect(failing).rejects.toMatchObject({
      code: 'ERR_SLUICE_CONFIG',
      issues: expect.arrayContaining([
        expect.objectContaining({ path: 'pools.web.backends[0]', value: 'b.example:1' }),
        expect.objectContaining({ path: 'listeners.in.listen', value: 'me.example:80' }),
      ]),
    });
  });
});
