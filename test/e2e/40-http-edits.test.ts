// Configurations that change under HTTP load: no request is lost by it.
import { expect, it } from 'vitest';
import { assertServedBy } from '../fixtures/balancers.ts';
import { expectNothingHeld, httpConfig, startHttp } from '../fixtures/http-balancers.ts';
import { get, openHttp, post, postChunked } from '../fixtures/http-clients.ts';
import { callAt, describeCall, message, startHttpOrigin } from '../fixtures/http-origins.ts';
import { forEachEngine, pause, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();

forEachEngine((engine) => {
  const named = (name: string) => startHttpOrigin(scene, describeCall, { name });

  it('backends come and go, weights and options change, every request is answered', async () => {
    const origins = await Promise.all(['a', 'b', 'c'].map(named));
    const [a = '', b = '', c = ''] = origins.map(({ address }) => address);
    const http = await startHttp(scene, engine, [a, b, c]);
    let stop = false;
    let answered = 0;
    const clients = Array.from({ length: 24 }, async (_, who) => {
      while (!stop) {
        // Some connections serve many requests, some few.
        const client = await openHttp(scene, http.target);
        for (let nth = 0; nth < who * 4 + 1 && !stop; nth++) {
          const kinds = [get(`/${nth}`), post('x'.repeat(nth * 300)), postChunked(['ab', 'c'])];
          const { status, head } = await client.ask(kinds[nth % 3] ?? get());
          expect(status).toBe(200);
          answered++;
          if (head.one('connection') === 'close') break;
        }
        client.close();
      }
    });
    const all = Promise.all(clients);
    all.catch(() => {});
    const pool = http.lb.pool('web');
    for (let round = 0; round < 12; round++) {
      await pool.remove(a);
      await pool.update(b, { weight: 1 + (round % 5) });
      await pool.add(a);
      const drained = pool.drain(c);
      await drained;
      await pool.undrain(c);
      const listener = { via: round % 2 === 0, serverClose: round % 3 === 0 };
      await http.lb.apply(httpConfig(engine, [a, b, c], { listener }));
      await pause(10);
    }
    await pause(50);
    stop = true;
    await all;
    expect(answered).toBeGreaterThan(500);
    const metrics = http.metrics();
    expect(metrics.sum('sluice_listener_answers_total')).toBe(0);
    expect(metrics.sum('sluice_pool_errors_total')).toBe(0);
    expect(metrics.one('sluice_listener_requests_total')).toBe(answered);
    assertServedBy(metrics, engine);
    await expectNothingHeld(http);
  });

  it('routes change between two requests of a connection', async () => {
    const [a, b] = await Promise.all([named('a'), named('b')]);
    const pools = { a: { backends: [a.address] }, b: { backends: [b.address] } };
    const routed = (routes: { pool: string; pathPrefix?: string; hosts?: string[] }[]) =>
      httpConfig(engine, [], { listener: { routes }, more: { pools } });
    const http = await startHttp(scene, engine, [], {
      listener: { routes: [{ pool: 'a' }] },
      more: { pools },
    });
    const client = await openHttp(scene, http.target);
    const who = async (): Promise<string | number> => {
      const { status, text } = await client.ask(get('/x/y'));
      return status === 200 ? text.slice(0, 1) : status;
    };
    expect(await who()).toBe('a');
    await http.lb.apply(routed([{ pool: 'a' }, { pathPrefix: '/x', pool: 'b' }]));
    expect(await who()).toBe('b');
    await http.lb.apply(routed([{ pool: 'b', hosts: ['other.example'] }]));
    expect(await who()).toBe(404);
    await http.lb.apply(routed([{ pool: 'a', hosts: ['*.example'] }]));
    expect(await who()).toBe('a');
    client.close();
    await expectNothingHeld(http);
  });

  it('a pool that is removed while its requests are under way finishes them', async () => {
    const slow = await startHttpOrigin(scene, async (call) => {
      await call.body();
      await pause(150);
      await call.send(message('late'));
    });
    const other = await named('other');
    const pools = { old: { backends: [slow.address] }, web: { backends: [other.address] } };
    const http = await startHttp(scene, engine, [], {
      listener: { routes: [{ pool: 'old' }] },
      more: { pools },
    });
    const client = await openHttp(scene, http.target);
    const asked = client.ask(get('/1'));
    await callAt(slow, 0);
    await http.lb.apply(httpConfig(engine, [other.address]));
    expect((await asked).text).toBe('late');
    expect((await client.ask(get('/2'))).text).toBe('other GET /2 0\n');
    await until('its connection is closed', () => slow.open.size === 0);
    client.close();
    await expectNothingHeld(http);
  });

  it('a stale connection of a backend that was removed meanwhile harms nobody', async () => {
    for (const timeout of ['0s', '5s']) {
      const a = await startHttpOrigin(scene, async (call, name) => {
        if (call.nth === 0) return describeCall(call, name);
        await pause(120);
        call.reset();
      });
      const http = await startHttp(scene, engine, [a.address]);
      const client = await openHttp(scene, http.target);
      expect((await client.ask(get('/1'))).status).toBe(200);
      const asked = client.ask(get('/2')).then(
        ({ status }) => status,
        () => 'cut',
      );
      await callAt(a, 1);
      const removed = http.lb.pool('web').remove(a.address, { timeout });
      expect(timeout === '0s' ? ['cut', 502, 503] : [200, 502]).toContain(await asked);
      await removed;
      client.close();
      await expectNothingHeld(http);
    }
  });
});
