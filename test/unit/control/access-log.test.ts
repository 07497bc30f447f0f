import { afterEach, describe, expect, it } from 'vitest';
import type { Config } from '../../../src/index.ts';
import { desiredFrom } from '../../../src/providers/inputs.ts';
import { address, config, type FakeBalancer, fakeBalancer } from '../../fixtures/fake-core.ts';

const open: FakeBalancer[] = [];
afterEach(async () => {
  for (const { core } of open.splice(0)) await core.close(0);
});
async function start(stated: Config): Promise<FakeBalancer> {
  const made = await fakeBalancer(stated);
  open.push(made);
  return made;
}
const logging = (accessLog: Config['accessLog'], ...backends: string[]): Config => ({
  ...config(backends),
  ...(accessLog === undefined ? {} : { accessLog }),
});
const logCalls = ({ fleet }: FakeBalancer): string[] =>
  fleet.calls.filter((call) => call.includes('Log'));

const all = { forgetsOverrides: true };

describe('the access log follows the settings', () => {
  it('is opened and named before the first publication', async () => {
    const balancer = await start(logging({ path: '/log' }, address(1)));
    const { calls, names } = balancer.fleet;
    expect(calls.slice(0, 3)).toEqual(['openLog /log', 'switchLog json', 'publish']);
    expect(names).toContainEqual([3, 0, 1, address(1)]);
    expect(names.map(([kind]) => kind)).toEqual(expect.arrayContaining([0, 2, 3]));
  });

  it('tells all names when it is switched on, and new ones from then on', async () => {
    const balancer = await start(logging(undefined, address(1)));
    const { core, fleet } = balancer;
    expect(fleet.names).toEqual([]);
    const apply = async (stated: Config) => core.replace(await desiredFrom(stated, 'config'), all);
    await apply(logging({}, address(1)));
    expect(logCalls(balancer)).toEqual(['openLog ', 'switchLog json']);
    expect(fleet.names).toContainEqual([3, 0, 1, address(1)]);
    fleet.names.length = 0;
    await apply(logging({}, address(1), address(2)));
    expect(fleet.names).toEqual([[3, 1, 1, address(2)]]);
    await apply(logging({ format: 'combined' }, address(1), address(2)));
    await apply(logging(undefined, address(1), address(2)));
    expect(logCalls(balancer).slice(2)).toEqual([
      'openLog ',
      'switchLog combined',
      'switchLog off',
    ]);
  });

  it('changes nothing when it cannot be opened, and is closed when the rest fails', async () => {
    const balancer = await start(logging(undefined, address(1)));
    const { core, fleet } = balancer;
    const sequence = core.controller.sequence;
    fleet.openLogError = Object.assign(new Error('open: EACCES'), { code: 'EACCES' });
    const more = await desiredFrom(logging({ path: '/x' }, address(1), address(2)), 'api');
    await expect(core.replace(more, all)).rejects.toMatchObject({ code: 'ERR_SLUICE_ACCESS_LOG' });
    expect(core.controller.sequence).toBe(sequence);
    fleet.listenError = Object.assign(new Error('bind: EADDRINUSE'), { code: 'EADDRINUSE' });
    const stated = logging({ path: '/x' }, address(1));
    const [[, listener] = []] = Object.entries(stated.listeners ?? {});
    if (listener === undefined) throw new Error('no listener');
    const second = { ...stated.listeners, second: { ...listener, listen: '127.0.0.1:7777' } };
    const failing = await desiredFrom({ ...stated, listeners: second }, 'api');
    await expect(core.replace(failing, all)).rejects.toMatchObject({ code: 'ERR_SLUICE_LISTEN' });
    expect(fleet.closed).toHaveLength(1);
    expect(logCalls(balancer)).toEqual(['openLog /x']);
  });

  it('opens the same again, and keeps the former one when that fails', async () => {
    const balancer = await start(logging({ path: '/log' }, address(1)));
    const { core, fleet } = balancer;
    await core.controller.accessLog.reopen();
    expect(logCalls(balancer).slice(2)).toEqual(['openLog /log', 'switchLog json']);
    fleet.openLogError = Object.assign(new Error('open: ENOENT'), { code: 'ENOENT' });
    await expect(core.controller.accessLog.reopen()).rejects.toMatchObject({
      code: 'ERR_SLUICE_ACCESS_LOG',
    });
    expect(logCalls(balancer)).toHaveLength(4);
  });
});
