// What a program and its system have around a balancer: other platforms, the admin's defaults,
// events, errors that nobody caught.
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { proveServed, simpleConfig, startBalancer } from '../fixtures/balancers.ts';
import { exchange } from '../fixtures/clients.ts';
import { nameOnly, startOrigin } from '../fixtures/origins.ts';
import {
  buildOnce,
  compiled,
  fetchAdmin,
  mainFile,
  type Program,
  runSluice,
  Served,
  serving,
  start,
  targetOf,
  writeConfig,
} from '../fixtures/programs.ts';
import { engines, forEachEngine, pause, root, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => buildOnce());

const adminDefault = '127.0.0.1:9123';

// A program that uses the library; `body` has `createLoadBalancer`, all of `sluice`, and `config`.
function program(body: string, config: object, under: readonly string[] = []): Program {
  const library = JSON.stringify(pathToFileURL(join(root, 'dist/index.js')).href);
  const text = `
    const sluice = await import(${library});
    const { createLoadBalancer } = sluice;
    const config = ${JSON.stringify(config)};
    ${body}`;
  const node = [process.execPath, '--input-type=module', '--eval', text];
  const [command = '', ...words] = [...under, ...node];
  return start(scene, command, words);
}

function isFree(address: string): Promise<boolean> {
  const { host, port } = targetOf(address) as { host: string; port: number };
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

it('on another system it can be imported, and says that it does not start', async () => {
  const body = `
    const seen = sluice.jsonSchema().type;
    const error = await createLoadBalancer(config).catch((error) => error);
    console.log(JSON.stringify({ seen, code: error.code, text: error.message }));`;
  const preload = join(scene.folder(), 'platform.cjs');
  writeFileSync(
    preload,
    "Object.defineProperty(process, 'platform', { value: 'darwin', configurable: true });\n",
  );
  const under = ['env', `NODE_OPTIONS=--require=${preload}`];
  const run = program(body, simpleConfig('epoll', []), under);
  expect(JSON.parse(await run.line(/code/))).toEqual({
    seen: 'object',
    code: 'ERR_SLUICE_PLATFORM',
    text: expect.stringContaining('this is darwin'),
  });
  expect((await run.exited).code).toBe(0);
});

forEachEngine((engine) => {
  it('the command opens its admin where nothing was said, the library opens none', async () => {
    const { address } = await startOrigin(scene, { serve: nameOnly });
    const config = simpleConfig(engine, [address]);
    const lb = await startBalancer(scene, config);
    expect(lb.adminAddress).toBeUndefined();
    const free = await isFree(adminDefault);
    const command = start(scene, process.execPath, [
      mainFile,
      'run',
      '--config',
      writeConfig(scene, config),
    ]);
    if (free) {
      const served = await serving(scene, command, engine);
      expect((await command.record('serving'))['admin']).toBe(adminDefault);
      expect((await fetchAdmin(served.admin, '/health')).status).toBe(200);
    } else {
      expect((await command.exited).code).toBe(1);
      expect(command.output).toContain(`cannot listen on ${adminDefault} (admin)`);
    }
  });

  it('tells when it is closed, once', async () => {
    const lb = await startBalancer(scene, simpleConfig(engine, []));
    let closed = 0;
    lb.on('closed', () => closed++);
    await proveServed(lb, engine);
    await Promise.all([lb.close({ timeout: 0 }), lb.close({ timeout: 0 })]);
    await pause(1);
    expect(closed).toBe(1);
  });

  it.each([
    ['uncaught exception', "throw new Error('on purpose');"],
    ['unhandled rejection', "void Promise.reject(new Error('on purpose'));"],
  ])('the command logs an %s and goes on', async (message, statement) => {
    const origin = await startOrigin(scene, { name: 'a', serve: nameOnly });
    const preload = join(scene.folder(), 'fail.cjs');
    writeFileSync(preload, `process.on('SIGUSR2', () => { ${statement} });\n`);
    const served = await runSluice(scene, simpleConfig(engine, [origin.address]), {
      spawn: { env: { ...process.env, NODE_OPTIONS: `--require ${preload}` } },
    });
    served.program.child.kill('SIGUSR2');
    const record = await served.program.record(message);
    expect(record).toMatchObject({ level: 'error', error: { message: 'on purpose' } });
    await pause(50);
    expect((await exchange(served.address())).toString()).toBe('a');
  });

  it('the library leaves such errors to the program, which ends', async () => {
    const body = `
      const lb = await createLoadBalancer(config);
      lb.on('listener:listening', ({ address }) => console.log('listening ' + address.port));
      process.stdin.once('data', () => void Promise.reject(new Error('on purpose')));`;
    const admin = { listen: '127.0.0.1:0' };
    const told = `${body}\nconsole.log('admin ' + lb.adminAddress);`;
    const run = program(told, { ...simpleConfig(engine, []), admin });
    const port = (await run.line(/^listening/)).split(' ')[1];
    const answers = (await run.line(/^admin/)).split(' ')[1] ?? '';
    const served = new Served(run, [`in 127.0.0.1:${port}`], answers);
    await served.prove(engine);
    run.tell('now');
    expect((await run.exited).code).toBe(1);
    expect(run.output).toContain('on purpose');
  });
});

it.each(engines)('`engine:fallback` is told of every worker without io_uring: %s', async (had) => {
  const body = `
    const lb = await createLoadBalancer(config);
    const told = [];
    lb.on('engine:fallback', (event) => told.push(event));
    await new Promise((resolve) => setTimeout(resolve, 50));
    console.log(JSON.stringify({ told, engine: lb.stats().engine }));
    await lb.close({ timeout: 0 });`;
  const config = { ...simpleConfig('epoll', []), engine: 'auto', logLevel: 'silent' };
  const run = program(body, config, had === 'io_uring' ? [] : [compiled('no-uring')]);
  const fallback = (worker: number) => ({
    worker,
    reason: 'refused_permission',
    error: expect.any(Number),
  });
  const told = had === 'io_uring' ? [] : [fallback(0), fallback(1)];
  expect(JSON.parse(await run.line(/told/))).toEqual({ told, engine: had });
  expect(await run.exited).toMatchObject({ code: 0 });
});
