// Where a balancer listens, and what it says when it cannot.
import { chmodSync, existsSync, renameSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { createLoadBalancer } from '../../src/index.ts';
import { proveServed, quiet, simpleConfig, startBalancer } from '../fixtures/balancers.ts';
import { exchange, type Target } from '../fixtures/clients.ts';
import { nameOnly, startOrigin } from '../fixtures/origins.ts';
import { buildOnce, runSluice, startRun, writeConfig } from '../fixtures/programs.ts';
import { forEachEngine, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => buildOnce());

forEachEngine((engine) => {
  const listening = (listen: string) => simpleConfig(engine, [], { listener: { listen } });

  it('does not share its port with another sluice', async () => {
    const served = await runSluice(scene, listening('127.0.0.1:0'));
    const { port } = served.address() as { port: number };
    const config = listening(`127.0.0.1:${port}`);
    await expect(createLoadBalancer(config, { logger: quiet })).rejects.toMatchObject({
      code: 'ERR_SLUICE_LISTEN',
      details: { listener: 'listeners.in', address: `127.0.0.1:${port}` },
      cause: { code: 'EADDRINUSE' },
    });
    const second = startRun(scene, writeConfig(scene, config));
    expect((await second.exited).code).toBe(1);
    expect(second.output).toMatch(/EADDRINUSE.*ERR_SLUICE_LISTEN/);
    expect(served.program.hasExited).toBe(false);
  });

  it('leaves nothing open when one of its listeners fails', async () => {
    const taken = await startBalancer(scene, listening('127.0.0.1:0'));
    const { port } = taken.address('in') as { port: number };
    const route = [{ pool: 'web' }];
    const path = join(scene.folder(), 'x.sock');
    const config = {
      ...listening('127.0.0.1:0'),
      listeners: {
        a: { listen: `unix:${path}`, mode: 'tcp', routes: route },
        b: { listen: `127.0.0.1:${port}`, mode: 'tcp', routes: route },
      },
    } as const;
    const failed = createLoadBalancer(config, { logger: quiet });
    await expect(failed).rejects.toMatchObject({ code: 'ERR_SLUICE_LISTEN' });
    expect(existsSync(path)).toBe(false);
  });

  it('says that it may not listen there', async () => {
    // The root directory is closed to all but root.
    const file = writeConfig(scene, listening('unix:/sluice-test.sock'));
    chmodSync(dirname(file), 0o755);
    const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    const program = startRun(scene, file, { under: process.getuid?.() === 0 ? asNobody : [] });
    expect((await program.exited).code).toBe(1);
    expect(program.output).toMatch(/cannot listen on unix:\/sluice-test\.sock .*EACCES/);
  });

  describe('a unix: listener', () => {
    it('replaces the file of a dead process, and removes its own at the end', async () => {
      const path = join(scene.folder(), 'x.sock');
      const dead = createServer().listen(path);
      await new Promise((resolve) => dead.once('listening', resolve));
      // Closing removes the file, dying does not: it is kept aside meanwhile.
      renameSync(path, `${path}.aside`);
      await new Promise((resolve) => dead.close(resolve));
      renameSync(`${path}.aside`, path);
      const { address } = await startOrigin(scene, { name: 'a', serve: nameOnly });
      const config = simpleConfig(engine, [address], { listener: { listen: `unix:${path}` } });
      const lb = await startBalancer(scene, config);
      expect((await exchange(lb.address('in') as Target)).toString()).toBe('a');
      await proveServed(lb, engine);
      await lb.close();
      expect(existsSync(path)).toBe(false);
    });

    it('leaves the file of a living process alone', async () => {
      const path = join(scene.folder(), 'x.sock');
      const living = createServer((socket) => {
        // Whether somebody lives is asked by connecting and going away.
        socket.on('error', () => {}).end('living');
      }).listen(path);
      await new Promise((resolve) => living.once('listening', resolve));
      scene.after(() => living.close());
      const failed = createLoadBalancer(listening(`unix:${path}`), { logger: quiet });
      await expect(failed).rejects.toMatchObject({
        code: 'ERR_SLUICE_LISTEN',
        cause: { code: 'EADDRINUSE' },
      });
      expect(statSync(path).isSocket()).toBe(true);
      expect((await exchange({ path })).toString()).toBe('living');
    });
  });

  it('listens on IPv4 and IPv6 alike with `:port`', async () => {
    const { address } = await startOrigin(scene, { name: 'a', serve: nameOnly });
    const config = simpleConfig(engine, [address], { listener: { listen: ':0' } });
    const lb = await startBalancer(scene, config);
    const { port } = lb.address('in') as { port: number };
    for (const host of ['127.0.0.1', '::1']) {
      expect((await exchange({ host, port })).toString(), host).toBe('a');
    }
  });
});
