// Under load: a backend is killed, JavaScript stands still, the process is told to end.
import { beforeAll, expect, it } from 'vitest';
import { assertServedBy } from '../fixtures/balancers.ts';
import type { Target } from '../fixtures/clients.ts';
import { expectNothingHeld, httpConfig, startHttp } from '../fixtures/http-balancers.ts';
import { type Answer, get, HttpClient, openHttp } from '../fixtures/http-clients.ts';
import { callAt, message, startHttpOrigin } from '../fixtures/http-origins.ts';
import { Cut } from '../fixtures/http-stream.ts';
import { BalancerProcess } from '../fixtures/load-programs.ts';
import { buildOnce, runSluice, startHttpProcess } from '../fixtures/programs.ts';
import { forEachEngine, pause, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(buildOnce);

interface Tally {
  readonly statuses: Map<number, number>;
  readonly texts: Map<string, number>;
  cut: number;
  // Milliseconds between two answers, the longest.
  slowest: number;
}

// So many clients ask one request after another until `stop`; cut off, they connect anew.
function load(target: Target, clients: number, path: string) {
  const tally: Tally = { statuses: new Map(), texts: new Map(), cut: 0, slowest: 0 };
  const count = <K>(map: Map<K, number>, key: K): void => {
    map.set(key, (map.get(key) ?? 0) + 1);
  };
  let stopped = false;
  const one = async (): Promise<void> => {
    let client = await new HttpClient(target).opened();
    while (!stopped) {
      const from = performance.now();
      try {
        const { status, text, head } = await client.ask(get(path));
        count(tally.statuses, status);
        count(tally.texts, text);
        if (head.one('connection') !== 'close') continue;
      } catch (error) {
        if (!(error instanceof Cut)) throw error;
        tally.cut++;
      } finally {
        tally.slowest = Math.max(tally.slowest, performance.now() - from);
      }
      client.close();
      if (!stopped) client = await new HttpClient(target).opened();
    }
    client.close();
  };
  const done = Promise.all(Array.from({ length: clients }, one));
  done.catch(() => {});
  return {
    tally,
    total: () => [...tally.statuses.values()].reduce((sum, some) => sum + some, 0),
    stop: async () => {
      stopped = true;
      await done;
      return tally;
    },
  };
}

forEachEngine((engine) => {
  it('loses only what was on a backend when that is killed', async () => {
    const victim = await startHttpProcess(scene, 'victim');
    const other = await startHttpProcess(scene, 'other');
    const http = await startHttp(scene, engine, [victim.address, other.address]);
    const clients = 24;
    const running = load(http.target, clients, '/delay/20');
    await until('all are at it', () => running.total() > 200);
    victim.program.child.kill('SIGKILL');
    await victim.program.exited;
    const before = running.total();
    await until('it goes on', () => running.total() > before + 400);
    const { statuses, texts, cut } = await running.stop();
    // GETs that had reached it on a connection used before are tried anew, and find it gone.
    const lost = (statuses.get(502) ?? 0) + cut;
    expect(lost).toBeLessThanOrEqual(clients);
    expect([...statuses.keys()].sort()).toEqual(lost - cut > 0 ? [200, 502] : [200]);
    expect(texts.get('other') ?? 0).toBeGreaterThan(400);
    assertServedBy(http.metrics(), engine);
    await expectNothingHeld(http);
  });

  it('serves on while JavaScript stands still for five seconds', async () => {
    const { address } = await startHttpProcess(scene, 'origin');
    const lb = await BalancerProcess.start(scene, httpConfig(engine, [address]));
    const running = load(lb.target, 16, '/');
    await until('it runs', () => running.total() > 200);
    lb.program.tell('wait 5000');
    await pause(500);
    const from = running.total();
    await pause(4_000);
    const during = running.total() - from;
    // New connections, too.
    const client = await openHttp(scene, lb.target);
    expect((await client.ask(get())).text).toBe('origin');
    expect(lb.program.out.some((line) => line.includes('"done"'))).toBe(false);
    const { statuses, cut, slowest } = await running.stop();
    await lb.program.line(/"done":"wait"/);
    expect([[...statuses.keys()], cut]).toEqual([[200], 0]);
    expect(during).toBeGreaterThan(500);
    expect(slowest).toBeLessThan(2_000);
    assertServedBy(await lb.metrics(), engine);
  });

  it('finishes what is under way when told to end, and says so', async () => {
    const { address } = await startHttpProcess(scene, 'origin');
    const served = await runSluice(scene, httpConfig(engine, [address]));
    const target = served.address();
    // Some have been served before and are idle, some wait for an answer, some send a body,
    // some a head.
    const idle = await Promise.all(Array.from({ length: 8 }, () => openHttp(scene, target)));
    for (const client of idle) expect((await client.ask(get())).status).toBe(200);
    const waiting = await Promise.all(Array.from({ length: 8 }, () => openHttp(scene, target)));
    for (const client of waiting) await client.send(get('/delay/2500'), get('/never'));
    const sending = await Promise.all(Array.from({ length: 8 }, () => openHttp(scene, target)));
    const head = 'POST /delay/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n';
    for (const client of sending) await client.send(`${head}12345`);
    const begun = await Promise.all(Array.from({ length: 8 }, () => openHttp(scene, target)));
    for (const client of begun) await client.send('GET / HTTP/1.1\r\nHo');
    await served.prove(engine);
    await pause(150);
    served.program.child.kill('SIGTERM');
    await served.program.record('draining');
    await pause(200);
    for (const client of sending) await client.send('67890');
    for (const client of begun) await client.send('st: a.example\r\n\r\n');
    const all = await Promise.all(
      [...waiting, ...sending, ...begun].map((client) => client.answer()),
    );
    const told = ({ status, text, head: { fields } }: Answer) => [
      status,
      text,
      Object.fromEntries(fields.map(([name, value]) => [name.toLowerCase(), value]))['connection'],
    ];
    for (const answer of all) expect(told(answer)).toEqual([200, 'origin', 'close']);
    for (const client of [...idle, ...waiting, ...sending, ...begun]) {
      expect(await client.ended()).toBe('end');
      expect(client.stream.held).toHaveLength(0);
      client.close();
    }
    expect(await served.program.exited).toEqual({ code: 0, signal: null });
  });

  it('loses no answer under load when told to end', async () => {
    const { address } = await startHttpProcess(scene, 'origin');
    const served = await runSluice(scene, httpConfig(engine, [address]));
    const clients = await Promise.all(
      Array.from({ length: 16 }, () => openHttp(scene, served.address())),
    );
    const ends = clients.map(async (client) => {
      for (let asked = 0; ; asked++) {
        // A request that meets the close of an idle connection is the client's to repeat.
        const answer = await client.ask(get('/delay/5')).catch((error: Cut) => error);
        if (answer instanceof Cut) return client.stream.held.length === 0 ? 'idle' : 'cut';
        expect([answer.status, answer.text]).toEqual([200, 'origin']);
        if (answer.head.one('connection') === 'close') return asked > 0 ? 'told' : 'at once';
      }
    });
    await served.prove(engine);
    await pause(400);
    served.program.child.kill('SIGTERM');
    const how = await Promise.all(ends);
    // The others were idle just then.
    expect(how.filter((end) => end === 'told').length).toBeGreaterThan(3);
    expect(how).not.toContain('cut');
    for (const client of clients) client.close();
    expect(await served.program.exited).toEqual({ code: 0, signal: null });
  });

  it('waits for an answer that is half sent when its listener is removed', async () => {
    const origin = await startHttpOrigin(scene, async (call) => {
      const answer = message('0123456789');
      await call.send(answer.subarray(0, -5));
      await pause(200);
      await call.send(answer.subarray(-5));
    });
    const http = await startHttp(scene, engine, [origin.address]);
    const client = await openHttp(scene, http.target);
    await client.send(get());
    await callAt(origin, 0);
    // With the name or the address it had it would be the same listener.
    const parts = { listener: { listen: '127.0.0.2:0' } };
    const { listeners, ...rest } = httpConfig(engine, [origin.address], parts);
    const renamed = Object.values(listeners).map((one) => ['other', one] as const);
    await http.lb.apply({ ...rest, listeners: Object.fromEntries(renamed) });
    expect((await client.answer()).text).toBe('0123456789');
    expect(await client.ended()).toBe('end');
  });
});
