// A listening socket that another process made: what socket activation and hot upgrade rely on.
// One descriptor is accepted on by one worker, which hands over what the others should have.
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { assertServedBy, simpleConfig } from '../fixtures/balancers.ts';
import { exchange, openClients } from '../fixtures/clients.ts';
import { echo, startOrigins } from '../fixtures/origins.ts';
import { buildOnce, runSluice, startRun, writeConfig } from '../fixtures/programs.ts';
import { forEachEngine, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => buildOnce());

// Listens at its first argument as descriptor 3 and becomes the program named after it.
const listeningFirst = `
import os, socket, sys
where = sys.argv[1]
family = socket.AF_UNIX if "/" in where else socket.AF_INET6 if ":" in where else socket.AF_INET
s = socket.socket(family)
s.bind(where if family == socket.AF_UNIX else (where, 0))
s.listen(64)
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.execvp(sys.argv[2], sys.argv[2:])`;
const listeningAt = (where: string) => ({ under: ['python3', '-c', listeningFirst, where] });

forEachEngine((engine) => {
  const config = (addresses: readonly string[], listen: string) =>
    simpleConfig(engine, addresses, { listener: { listen } });

  it('serves on a descriptor it was started with, on all workers', async () => {
    const origins = await startOrigins(scene, ['a', 'b'], echo);
    const addresses = origins.map(({ address }) => address);
    const served = await runSluice(scene, config(addresses, 'fd:3'), listeningAt('127.0.0.1'));
    const clients = await openClients(scene, served.address(), 60);
    for (const client of clients) client.write('x');
    await Promise.all(clients.map((client) => client.receive(1)));
    expect((await exchange(served.address(), 'y')).toString()).toBe('y');
    const metrics = await served.metrics();
    expect(metrics.one('sluice_listener_connections_active')).toBeGreaterThanOrEqual(60);
    assertServedBy(metrics, engine);
  });

  it.each(['127.0.0.2', '0.0.0.0', '::1', 'a path'])('says where it listens: %s', async (where) => {
    const path = where === 'a path' ? join(scene.folder(), 'x.sock') : undefined;
    const [origin] = await startOrigins(scene, ['a'], echo);
    const made = config([origin?.address ?? ''], 'fd:3');
    const served = await runSluice(scene, made, listeningAt(path ?? where));
    const expected = path === undefined ? { host: where, port: expect.any(Number) } : { path };
    expect(served.address()).toEqual(expected);
    expect((await exchange(served.address(), 'y')).toString()).toBe('y');
  });

  it('says what is wrong with a descriptor that does not listen', async () => {
    const program = startRun(scene, writeConfig(scene, config([], 'fd:0')));
    expect((await program.exited).code).toBe(1);
    expect(program.output).toMatch(/ERR_SLUICE_LISTEN/);
  });
});
