// Commands that talk to a balancer that runs, against one: what they print, change and end with.
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { simpleConfig } from '../fixtures/balancers.ts';
import { exchange, openClient } from '../fixtures/clients.ts';
import { freePorts } from '../fixtures/load-programs.ts';
import { nameOnly, startOrigin, startOrigins } from '../fixtures/origins.ts';
import {
  buildOnce,
  fetchAdmin,
  mainFile,
  runSluice,
  type Served,
  serving,
  sluice,
  start,
  startRun,
  writeConfig,
} from '../fixtures/programs.ts';
import { forEachEngine, pause, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => buildOnce());

const adminOf = ({ admin }: Served): string =>
  'path' in admin ? `unix:${admin.path}` : `${admin.host}:${admin.port}`;

// Runs a command without standing in the way of what this process serves.
async function ask(served: Served, args: readonly string[]) {
  const words = [mainFile, ...args, '--admin', adminOf(served)];
  const program = start(scene, process.execPath, words);
  const { code } = await program.exited;
  return { code, out: program.out.join('\n'), errors: program.errors.join('\n') };
}
const json = (text: string) => JSON.parse(text);

forEachEngine((engine) => {
  it('drains, undrains and weighs a backend while traffic goes on', async () => {
    const origins = await startOrigins(scene, ['a', 'b']);
    const [a = '', b = ''] = origins.map(({ address }) => address);
    const served = await runSluice(scene, simpleConfig(engine, [a, b]));
    await served.prove(engine);
    const names = async (): Promise<string> => {
      const all = await Promise.all(Array.from({ length: 8 }, () => exchange(served.address())));
      return [...new Set(all.map((text) => text.toString().trim()))].sort().join(' ');
    };
    expect(await names()).toBe('a b');
    const client = await openClient(scene, served.address());
    const name = (await client.receive(2)).toString().trim();
    const held = `web/${name === 'a' ? a : b}`;
    const other = name === 'a' ? 'b' : 'a';

    const drained = await ask(served, ['drain', held]);
    expect(drained).toEqual({ code: 0, out: `${held} is draining`, errors: '' });
    expect(await names()).toBe(other);
    expect(client.isOpen).toBe(true);
    const waited = await ask(served, ['drain', held, '--wait', '--timeout', '50ms', '-o', 'json']);
    expect(json(waited.out)).toEqual({ state: 'drained', cut: 1 });
    const undrained = await ask(served, ['undrain', held]);
    expect(undrained).toMatchObject({ code: 0, out: `${held} is up` });
    expect(await names()).toBe('a b');

    expect(await ask(served, ['weight', held, '0'])).toMatchObject({
      code: 0,
      out: `${held} has weight 0`,
    });
    expect(await names()).toBe(other);
    const backends = json((await ask(served, ['backends', 'web', '-o', 'json'])).out);
    expect(backends.find(({ id }: { id: string }) => `web/${id}` === held)).toMatchObject({
      weight: 0,
      state: 'up',
    });
  });
});

describe('a running balancer', () => {
  it('is shown in one screen, as tables and as JSON', async () => {
    const [origin] = await startOrigins(scene, ['a'], nameOnly);
    const admin = join(scene.folder(), 'admin.sock');
    const config = simpleConfig('epoll', [origin?.address ?? '']);
    const args = ['--admin', `unix:${admin}`];
    const served = await runSluice(scene, config, { args });
    expect(statSync(admin).mode & 0o777).toBe(0o600);
    await served.prove('epoll');
    const status = await ask(served, ['status']);
    expect(status.code).toBe(0);
    expect(status.out).toMatch(/^sluice \S+: healthy, up \d+s, generation 1, 2 workers on epoll, /);
    expect(status.out).toMatch(/, pid \d+\n\nLISTENER +ADDRESS/);
    expect(status.out).toMatch(/^in +127\.0\.0\.1:\d+ +tcp +1 /m);
    expect(status.out).toMatch(/^web +round_robin +1\/1 /m);
    expect(status.out).not.toContain('\x1b');
    const whole = json((await ask(served, ['status', '-o', 'json'])).out);
    expect(whole).toMatchObject({
      health: { status: 'healthy' },
      version: { pid: served.program.pid },
      listeners: [{ name: 'in' }],
      pools: [{ name: 'web', backends: [{ id: origin?.address }] }],
    });
    expect((await ask(served, ['pools'])).out).toMatch(/^POOL +STRATEGY +READY/);
    const [pool] = json((await ask(served, ['pools', '-o', 'json'])).out);
    expect(pool).toMatchObject({ name: 'web', strategy: 'round_robin' });
    const backends = (await ask(served, ['backends'])).out;
    expect(backends).toMatch(new RegExp(`^web/${origin?.address} +up +\\w+ +1 `, 'm'));
  });

  it('says that it is not healthy with exit code 1', async () => {
    const origin = await startOrigin(scene);
    const served = await runSluice(scene, simpleConfig('epoll', [origin.address]));
    await served.prove('epoll');
    const client = await openClient(scene, served.address());
    client.write('x');
    await client.receive(1);
    served.program.child.kill('SIGTERM');
    await served.program.record('draining');
    const { code, out } = await ask(served, ['status']);
    expect(code).toBe(1);
    expect(out).toMatch(/^sluice \S+: draining/);
    client.end('');
    await served.program.exited;
  });

  it('reads its file again, and differs from it until then', async () => {
    const [a, b] = await startOrigins(scene, ['a', 'b'], nameOnly);
    const config = simpleConfig('epoll', [a?.address ?? '']);
    const file = writeConfig(scene, config);
    const program = startRun(scene, file, { args: ['--no-watch'] });
    const served = await serving(scene, program, 'epoll');
    expect(await ask(served, ['diff'])).toEqual({ code: 0, out: '', errors: '' });
    writeFileSync(file, JSON.stringify(simpleConfig('epoll', [b?.address ?? ''])));
    const differs = await ask(served, ['diff']);
    expect(differs.code).toBe(1);
    expect(differs.out).toContain(a?.address);
    expect(differs.out).toContain(b?.address);
    expect(differs.out).toMatch(/^[-+~] pools\.web\.backends/);
    const answer = json((await ask(served, ['diff', '-o', 'json'])).out);
    expect(answer.differences.length).toBeGreaterThan(0);

    expect(await ask(served, ['reload'])).toEqual({
      code: 0,
      out: expect.stringMatching(/^the file was read again: generation \d+, on 2 workers$/),
      errors: '',
    });
    expect((await exchange(served.address())).toString()).toBe('b');
    expect((await ask(served, ['diff'])).code).toBe(0);

    writeFileSync(file, JSON.stringify({ ...config, workers: 'many', pools: {} }));
    const refused = await ask(served, ['reload']);
    expect(refused.code).toBe(2);
    expect(refused.errors).toMatch(/^sluice: workers: .*expected/m);
    expect((await ask(served, ['diff'])).code).toBe(2);
    expect((await exchange(served.address())).toString()).toBe('b');
  });

  it('tells its events, kept ones and new ones', async () => {
    const [a] = await startOrigins(scene, ['a'], nameOnly);
    const served = await runSluice(scene, simpleConfig('epoll', [a?.address ?? '']));
    const backend = `web/${a?.address}`;
    await ask(served, ['drain', backend]);
    await until('drained', async () => /backend:drained/.test((await ask(served, ['events'])).out));
    const kept = await ask(served, ['events', '-o', 'json']);
    const drained = kept.out
      .split('\n')
      .map(json)
      .find(({ name }) => name === 'backend:drained');
    expect(drained).toMatchObject({ detail: { pool: 'web', backend: a?.address, cut: 0 } });
    const line = (await ask(served, ['events', '--since', String(drained.id - 1)])).out;
    expect(line.split('\n')[0]).toBe(
      `${drained.at}  backend:drained  pool=web  backend=${a?.address}  cut=0`,
    );
    const args = ['events', '--follow', '--since', String(drained.id), '--admin', adminOf(served)];
    const follower = start(scene, process.execPath, [mainFile, ...args]);
    await pause(300);
    await ask(served, ['undrain', backend]);
    await ask(served, ['drain', backend]);
    expect(await follower.line(/backend:drained/)).toContain('pool=web');
    follower.child.kill('SIGINT');
    expect(await follower.exited).toEqual({ code: 0, signal: null });
  });

  it('refuses with its reasons, in lines', async () => {
    const served = await runSluice(scene, simpleConfig('epoll', ['127.0.0.1:1']));
    const missing = await ask(served, ['drain', 'nowhere/127.0.0.1:1']);
    expect(missing.code).toBe(1);
    expect(missing.errors).toBe('sluice: there is no pool named nowhere (ERR_SLUICE_NO_POOL)');
    const none = await ask(served, ['weight', 'web/127.0.0.1:2', '1']);
    expect(none).toMatchObject({ code: 1, errors: expect.stringContaining('NO_BACKEND') });
    const timeout = await ask(served, ['drain', 'web/127.0.0.1:1', '--timeout', 'soon']);
    expect(timeout).toMatchObject({ code: 2, errors: expect.stringContaining('soon') });
    expect((await ask(served, ['backends', 'nowhere'])).code).toBe(1);
  });

  it('is told which image is balanced where', async () => {
    const served = await runSluice(scene, simpleConfig('epoll', []));
    const [port = 0] = await freePorts(1);
    const listen = `127.0.0.1:${port}`;
    expect(await ask(served, ['map-image', 'nginx:1', listen, '80'])).toEqual({
      code: 0,
      out: `containers of nginx:1 are balanced on ${listen}`,
      errors: '',
    });
    const images = async () => json((await fetchAdmin(served.admin, '/api/v1/images')).body);
    expect(await images()).toEqual([{ image: 'nginx:1', listen, port: 80 }]);
    expect((await ask(served, ['stop-port', listen])).code).toBe(0);
    expect(await images()).toEqual([]);
    const again = await ask(served, ['stop-port', listen]);
    expect(again).toMatchObject({ code: 1, errors: expect.stringMatching(/^sluice: \S.+/) });
  });

  it('asks for its token, and is told it by an option or the environment', async () => {
    const token = 'a-token-of-thirty-two-letters-ab';
    const config = { ...simpleConfig('epoll', []), admin: { tokens: [token] } };
    const program = startRun(scene, writeConfig(scene, config));
    const admin = String((await program.record('serving'))['admin']);
    const env = { SLUICE_ADMIN: admin };
    const without = sluice(['pools'], env);
    expect(without.status).toBe(1);
    expect(without.stderr).toMatch(/--token or SLUICE_TOKEN/);
    expect(sluice(['pools', '--token', token], env).status).toBe(0);
    const told = { ...env, SLUICE_TOKEN: token };
    expect(sluice(['pools'], told)).toMatchObject({ status: 0 });
    expect(sluice(['top', '--once', '-i', '0.1'], told)).toMatchObject({ status: 0 });
  });
});
