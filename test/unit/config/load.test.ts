import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfigFile, loadDesired, parseConfig } from '../../../src/config/load.ts';
import type { Issue, SluiceError } from '../../../src/errors.ts';

const good = {
  listeners: { in: { listen: '127.0.0.1:8080', mode: 'tcp', routes: [{ pool: 'web' }] } },
  pools: { web: { backends: ['127.0.0.1:9001', { address: '127.0.0.1:9002', weight: 2 }] } },
};

function issuesOf(run: () => unknown): readonly Issue[] {
  try {
    run();
  } catch (error) {
    expect(error).toMatchObject({ code: 'ERR_SLUICE_CONFIG', status: 422 });
    return (error as SluiceError).issues;
  }
  throw new Error('nothing was refused');
}

describe('parseConfig', () => {
  it('fills in defaults and parses what is written', () => {
    const { listeners, pools, settings } = parseConfig(good, 'api');
    expect(listeners.get('in')).toMatchObject({
      targetText: '127.0.0.1:8080',
      idleTimeoutMs: 600_000,
      maxConnections: 0,
      routes: [{ host: '', pathPrefix: '', pool: 'web' }],
    });
    expect(pools.get('web')?.settings).toMatchObject({
      strategy: 'round_robin',
      connectTimeoutMs: 5000,
      connectRetries: 2,
      drainTimeoutMs: 30_000,
    });
    expect([...(pools.get('web')?.backends.values() ?? [])].map(({ weight }) => weight)).toEqual([
      1, 2,
    ]);
    expect(settings).toMatchObject({ engine: 'auto', workers: undefined, logLevel: 'info' });
  });

  it('collects every problem with path, value and expectation', () => {
    const issues = issuesOf(() =>
      parseConfig(
        {
          ...good,
          workers: 0,
          colour: 'red',
          listeners: {
            in: { listen: 'here', mode: 'tcp', routes: [{ pool: 'web' }], idleTimeout: 5 },
            two: { listen: ':1', mode: 'udp', routes: [] },
            three: { listen: ':2', mode: 'tcp', routes: [] },
          },
          pools: {
            web: {
              strategy: 'random',
              connectTimeout: '0s',
              backends: ['127.0.0.1:0', { address: '127.0.0.1:1', weight: -1, wait: 1 }],
            },
          },
        },
        'api',
      ),
    );
    const paths = issues.map(({ path }) => path);
    for (const path of [
      'workers',
      'colour',
      'listeners.in.listen',
      'listeners.in.idleTimeout',
      'listeners.two.mode',
      'listeners.three.routes',
      'pools.web.strategy',
      'pools.web.connectTimeout',
      'pools.web.backends[0]',
      'pools.web.backends[1].weight',
      'pools.web.backends[1].wait',
    ]) {
      expect(paths).toContain(path);
    }
    const strategy = issues.find(({ path }) => path === 'pools.web.strategy');
    expect(strategy).toMatchObject({ value: 'random' });
    expect(strategy?.expected).toContain('least_connections');
    expect(issues.find(({ path }) => path === 'colour')?.message).toBe("unknown key 'colour'");
  });

  it.each([[undefined], [null], [[]], ['text'], [{ listeners: 1, pools: [] }]])(
    'refuses %j as a whole',
    (input) => expect(issuesOf(() => parseConfig(input, 'api')).length).toBeGreaterThan(0),
  );

  it('refuses a backend that is listed twice, however it is written', () => {
    const backends = ['[::1]:80', '[0:0::1]:80'];
    const issues = issuesOf(() => parseConfig({ ...good, pools: { web: { backends } } }, 'api'));
    expect(issues).toEqual([
      expect.objectContaining({ path: 'pools.web.backends[1]', value: '[0:0::1]:80' }),
    ]);
  });
});

describe('files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };

  it('are YAML or JSON', async () => {
    const yaml = `
listeners:
  in: { listen: "127.0.0.1:8080", mode: tcp, routes: [ { pool: web } ] }
pools:
  web:
    backends: [ "127.0.0.1:9001", { address: "127.0.0.1:9002", weight: 2 } ]
`;
    const json = JSON.stringify(good, null, '\t');
    expect(await loadConfigFile(write('a.yaml', yaml))).toEqual(good);
    expect(await loadConfigFile(write('a.json', json))).toEqual(good);
  });

  it('have the lines of what is wrong', async () => {
    const text = 'listeners: {}\npools:\n  web:\n    strategy: x\n    colour: red\n';
    const error = (await loadDesired(write('b.yaml', text), 'file').catch((e) => e)) as SluiceError;
    expect(error.issues).toEqual([
      expect.objectContaining({ path: 'pools.web.strategy', line: 4 }),
      expect.objectContaining({ path: 'pools.web.colour', line: 5 }),
    ]);
    expect(error.message).toContain('line 4, pools.web.strategy: expected one of');
  });

  it('tell why they cannot be read', async () => {
    await expect(loadConfigFile(join(folder, 'none.yaml'))).rejects.toMatchObject({
      code: 'ERR_SLUICE_CONFIG_FILE',
      message: expect.stringContaining('ENOENT'),
    });
    await expect(loadConfigFile(write('c.yaml', 'a: [1\nb: 2'))).rejects.toMatchObject({
      code: 'ERR_SLUICE_CONFIG_FILE',
      message: expect.stringContaining('line 2'),
    });
    await expect(loadConfigFile(write('d.yaml', ''))).rejects.toMatchObject({
      code: 'ERR_SLUICE_CONFIG',
    });
  });
});
