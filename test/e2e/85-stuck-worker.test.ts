// A worker thread is stopped, as a debugger stops one: the rest goes on, and it is told.
import { expect, it } from 'vitest';
import {
  assertServedBy,
  metricsOf,
  serveByAll,
  simpleConfig,
  startBalancer,
} from '../fixtures/balancers.ts';
import { type Client, exchange, openClients, type Target } from '../fixtures/clients.ts';
import { echo, startOrigins } from '../fixtures/origins.ts';
import { threadNamed } from '../fixtures/process-facts.ts';
import { compiled, fetchAdmin, runSluice, start, targetOf } from '../fixtures/programs.ts';
import { forEachEngine, pause, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();

async function freeze(thread: number): Promise<() => Promise<void>> {
  const helper = start(scene, compiled('freeze-thread'), [String(thread)]);
  await helper.line(/frozen/);
  return async () => {
    helper.tell('thaw');
    expect((await helper.exited).code).toBe(0);
  };
}

// Writes one byte; whether it came back within half a second.
async function answers(client: Client): Promise<boolean> {
  const wanted = client.received + 1;
  client.write('x');
  const back = client.receive(wanted).then(() => true);
  return Promise.race([back.catch(() => false), pause(500).then(() => false)]);
}

forEachEngine((engine) => {
  it('is reported, and the others serve and follow changes', async () => {
    const [a, b, c] = await startOrigins(scene, ['a', 'b', 'c'], echo);
    const admin = { listen: '127.0.0.1:0' };
    const lb = await startBalancer(scene, {
      ...simpleConfig(engine, [a?.address ?? '']),
      admin,
    });
    const target = lb.address('in') as Target;
    await serveByAll(target, () => metricsOf(lb));
    const clients = await openClients(scene, target, 40);
    expect(await Promise.all(clients.map(answers))).not.toContain(false);

    const events: string[] = [];
    lb.on('worker:stuck', ({ worker }) => void events.push(`stuck ${worker}`));
    lb.on('worker:recovered', ({ worker }) => void events.push(`recovered ${worker}`));
    const { threadId } = lb.view().reader.worker(1);
    const thaw = await freeze(threadId);

    const pool = lb.pool('web');
    await expect(pool.add(b?.address ?? '')).rejects.toMatchObject({
      code: 'ERR_SLUICE_WORKER_STUCK',
    });
    await until('the event', () => events.length > 0, 10_000);
    expect(events).toEqual(['stuck 1']);
    const health = await fetchAdmin(targetOf(lb.adminAddress ?? ''), '/health');
    expect(health.status).toBe(503);
    expect(JSON.parse(health.body)).toMatchObject({
      status: 'unhealthy',
      workers: [{ condition: 'ok' }, { condition: 'stuck' }],
    });

    // Connections of the other worker go on; further changes are not waited for.
    const during = await Promise.all(clients.map(answers));
    expect(during).toContain(true);
    expect(during).toContain(false);
    const start = performance.now();
    const third = pool.add(c?.address ?? '');
    await expect(third).rejects.toMatchObject({ code: 'ERR_SLUICE_WORKER_STUCK' });
    expect(performance.now() - start).toBeLessThan(1500);
    expect(lb.view().reader.worker(0).adopted).toBe(lb.view().sequence);

    await thaw();
    await until('recovered', () => events.includes('recovered 1'));
    await until('it follows', () => lb.view().reader.worker(1).adopted === lb.view().sequence);
    expect((await fetchAdmin(targetOf(lb.adminAddress ?? ''), '/health')).status).toBe(200);
    await until('all answered', () => clients.every(({ received }) => received === 2));
    expect(clients.filter((client) => !client.isOpen)).toEqual([]);
    expect(await Promise.all(clients.map(answers))).not.toContain(false);
    await pool.remove(c?.address ?? '', { timeout: 0 });
    for (let asked = 0; asked < 10; asked++) {
      expect((await exchange(target, 'y')).toString()).toBe('y');
    }
    assertServedBy(metricsOf(lb), engine);
  });

  it('does not keep the process from ending', async () => {
    const [a] = await startOrigins(scene, ['a'], echo);
    const served = await runSluice(scene, simpleConfig(engine, [a?.address ?? '']));
    await served.prove(engine);
    await freeze(threadNamed(served.program.pid, 'sluice-1'));
    await pause(3500);
    served.program.child.kill('SIGTERM');
    const exit = await Promise.race([served.program.exited, pause(15_000)]);
    expect(exit).toEqual({ code: 0, signal: null });
    const left = { message: 'workers did not end in time', workers: 1 };
    expect(served.program.records()).toContainEqual(expect.objectContaining(left));
  });
});
