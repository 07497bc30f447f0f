// What is changed at run time: in force at once, above what others state, and in the state file
// whatever happens to the process.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { Overrides } from '../../../src/control/overrides.ts';
import type { Desired } from '../../../src/model/types.ts';
import { routesFrom } from '../../../src/providers/definitions.ts';
import { desiredFrom } from '../../../src/providers/inputs.ts';
import { nothing, type Watcher } from '../../../src/providers/provider.ts';
import { type FakeBalancer, fakeBalancer } from '../../fixtures/fake-core.ts';
import { root, until } from '../../fixtures/scene.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-state-'));
afterAll(() => rmSync(folder, { recursive: true }));

const running: FakeBalancer[] = [];
afterEach(async () => {
  for (const lb of running.splice(0)) await lb.core.close(0);
});
const start = async (
  ...args: Parameters<typeof fakeBalancer>
): Promise<{ lb: FakeBalancer; overrides: Overrides }> => {
  const lb = await fakeBalancer(...args);
  running.push(lb);
  return { lb, overrides: new Overrides(lb.core) };
};
const modelOf = ({ core }: FakeBalancer) => core.controller.model;

const webConfig = {
  listeners: { in: { listen: '127.0.0.1:8080', mode: 'http' as const, routes: [{ pool: 'web' }] } },
  pools: { web: { backends: ['10.0.0.1:80'] } },
};

describe('overrides', () => {
  it('define listeners, pools and routes over what is stated, and give them back', async () => {
    const { lb, overrides } = await start(webConfig);
    await overrides.setPool('web', { backends: ['10.0.0.9:80'], strategy: 'p2c' });
    expect([...(modelOf(lb).pools.get('web')?.backends.keys() ?? [])]).toEqual(['10.0.0.9:80']);
    await overrides.setPool('more', { backends: ['10.0.0.3:80'] });
    await overrides.setRoute('r1', { listener: 'in', hosts: ['x.example'], pool: 'more' });
    expect(
      modelOf(lb)
        .listeners.get('in')
        ?.routes.map(({ pool }) => pool),
    ).toEqual(['web', 'more']);
    await overrides.removeRoute('r1');
    await overrides.removePool('web');
    expect([...(modelOf(lb).pools.get('web')?.backends.keys() ?? [])]).toEqual(['10.0.0.1:80']);
    expect(lb.core.controller.merged.flags).toEqual([]);
  });

  it('refuse what cannot be, and change nothing', async () => {
    const { lb, overrides } = await start(webConfig);
    const before = lb.core.controller.sequence;
    const route = { listener: 'in', pool: 'web' };
    const refused = [
      [overrides.setPool('p', { backends: ['nonsense'] }), 'ERR_SLUICE_CONFIG'],
      [overrides.removePool('web'), 'ERR_SLUICE_NOT_OVERRIDDEN'],
      [overrides.removePool('none'), 'ERR_SLUICE_NO_POOL'],
      [overrides.removeListener('none'), 'ERR_SLUICE_NO_LISTENER'],
      [overrides.removeRoute('none'), 'ERR_SLUICE_NO_ROUTE'],
      [overrides.setRoute('r', { ...route, pool: 'none' }), 'ERR_SLUICE_NO_POOL'],
      [overrides.setRoute('r', { ...route, listener: 'none' }), 'ERR_SLUICE_NO_LISTENER'],
      [overrides.setRoute('r', { ...route, hosts: ['a b'] }), 'ERR_SLUICE_CONFIG'],
      [overrides.stopPort(':9'), 'ERR_SLUICE_NO_IMAGE'],
    ] as const;
    for (const [promise, code] of refused) await expect(promise).rejects.toMatchObject({ code });
    const unless = (): void => {
      throw new Error('stale');
    };
    await expect(overrides.setPool('p', {}, { unless })).rejects.toThrow('stale');
    expect(lb.core.controller.sequence).toBe(before);
    await overrides.setRoute('r', { ...route, hosts: ['a.example', 'b.example'] });
    await expect(overrides.setRoute('s', { ...route, hosts: ['b.example'] })).rejects.toMatchObject(
      { code: 'ERR_SLUICE_CONFLICT' },
    );
  });

  it('come back from the state file, drained backends drained', async () => {
    const stateFile = join(folder, 'back.json');
    const whole = { ...webConfig, stateFile };
    const first = await start(whole);
    await first.lb.pool().add('10.0.0.2:80');
    await first.lb.pool().update('10.0.0.2:80', { weight: 7 });
    await first.lb.pool().drain('10.0.0.1:80', { wait: false });
    await first.overrides.setPool('more', { backends: ['10.0.0.3:80', '10.0.0.4:80'] });
    await first.lb.pool('more').remove('10.0.0.4:80', { wait: false });
    await first.overrides.setRoute('r1', { listener: 'in', hosts: ['x.example'], pool: 'more' });
    await first.overrides.mapImage({ image: 'nginx', listen: ':81', port: 80 });
    const document = first.overrides.document();
    expect(JSON.parse(readFileSync(stateFile, 'utf8'))).toEqual(document);

    const { lb, overrides } = await start(whole);
    expect(overrides.document()).toEqual(document);
    expect(lb.pool().backends()).toMatchObject([
      { id: '10.0.0.1:80', state: 'drained' },
      { id: '10.0.0.2:80', state: 'up', weight: 7 },
    ]);
    expect(lb.pool('more').backends()).toHaveLength(1);
    await lb.pool().undrain('10.0.0.1:80');
    await lb.pool().remove('10.0.0.2:80', { wait: false });
    expect(overrides.document().backends['web']).toEqual({
      added: [],
      removed: [],
      weights: {},
      drained: [],
    });
  });

  it.each([
    ['{"version": 1', 'JSON'],
    ['{"version": 2}', 'version'],
    ['{"version":1,"listeners":{},"pools":{"p":{"backends":["x"]}},"routes":{}}', 'backends'],
  ])('refuse to start from a file that says %s', async (text, word) => {
    const stateFile = join(folder, 'bad.json');
    writeFileSync(stateFile, text);
    await expect(start({ ...webConfig, stateFile })).rejects.toMatchObject({
      code: 'ERR_SLUICE_STATE_FILE',
      message: expect.stringContaining(word),
    });
    expect(readFileSync(stateFile, 'utf8')).toBe(text);
  });

  it('are whole in the file whenever the process is killed', async () => {
    const writer = join(root, 'test/fixtures/state-writer.mjs');
    for (let round = 0; round < 12; round++) {
      const path = join(folder, `kill-${round}.json`);
      const child = spawn(process.execPath, ['--import', 'tsx', writer, path], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let said = '';
      child.stdout.on('data', (data) => {
        said += data;
      });
      await until('it writes', () => said.includes('\n'));
      await new Promise((resolve) => setTimeout(resolve, round * 3));
      child.kill('SIGKILL');
      await once(child, 'exit');
      const last = Number(said.trimEnd().split('\n').at(-1));
      const kept = JSON.parse(readFileSync(path, 'utf8')) as { images: unknown[] };
      expect(kept.images.length).toBeGreaterThanOrEqual(last);
    }
    expect(readdirSync(folder).filter((name) => name.endsWith('.json')).length).toBeGreaterThan(11);
  }, 60_000);
});

describe('watchers', () => {
  class Source implements Watcher {
    readonly source = 'docker';
    #state: Desired<never> = nothing('docker') as Desired<never>;
    #changed: () => void = () => {};
    stopped = false;
    state() {
      return this.#state;
    }
    start(changed: () => void): void {
      this.#changed = changed;
    }
    async stop(): Promise<void> {
      this.stopped = true;
    }
    now(state: Partial<Desired>): void {
      this.#state = { ...nothing('docker'), ...state } as Desired<never>;
      this.#changed();
    }
  }

  it('are followed; what they state wrongly keeps nobody else from changing', async () => {
    const source = new Source();
    const { lb } = await start(webConfig, { watchers: [source] });
    const { pools } = await desiredFrom({ pools: { d: { backends: ['10.1.0.1:80'] } } }, 'docker');
    const routes = routesFrom({ hosts: ['d.example'], pool: 'd' }, 'd');
    const attached = [{ origin: 'c1', on: { kind: 'name' as const, listener: 'in' }, routes }];
    source.now({ pools, attached } as Partial<Desired>);
    await until('routed', () => modelOf(lb).listeners.get('in')?.routes.length === 2);
    // More listeners than there can be: the whole statement is refused.
    const listener = modelOf(lb).listeners.get('in');
    const many = new Map(Array.from({ length: 300 }, (_, n) => [`l${n}`, listener] as const));
    source.now({ listeners: many as never });
    await lb.pool().add('10.0.0.7:80');
    expect(modelOf(lb).listeners.get('in')?.routes).toHaveLength(2);
    expect(modelOf(lb).pools.has('d')).toBe(true);
    source.now({});
    await until('gone', () => modelOf(lb).listeners.get('in')?.routes.length === 1);
    await lb.core.close(0);
    expect(source.stopped).toBe(true);
  });

  it('open ports that others may have, later if not now', async () => {
    const source = new Source();
    const { lb } = await start(webConfig, { watchers: [source], reopenMs: 50 });
    const { pools } = await desiredFrom({ pools: { d: {} } }, 'docker');
    const { listeners } = await desiredFrom(
      { listeners: { x: { listen: '127.0.0.1:81', mode: 'http', routes: [] } } },
      'docker',
    );
    const made = { ...listeners.get('x'), name: ':81' };
    const on = { kind: 'open' as const, listener: made as never };
    const routes = routesFrom({ pool: 'd' }, 'd');
    const inUse = Object.assign(new Error('in use'), { code: 'EADDRINUSE' });
    lb.fleet.listenError = inUse;
    source.now({ pools, attached: [{ origin: 'c1', on, routes }] } as Partial<Desired>);
    await until('flagged', () => lb.core.controller.merged.flags.length === 1);
    expect(lb.core.controller.merged.flags[0]?.reason).toContain('EADDRINUSE');
    expect(modelOf(lb).pools.has('d')).toBe(true);
    await until('opened', () => modelOf(lb).listeners.has(':81'));
    expect(lb.core.controller.merged.flags).toEqual([]);
  });
});
