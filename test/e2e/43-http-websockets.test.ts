// A thousand open WebSockets while pools and routes are edited a thousand times: none closes, and
// no request next to them fails.
import { expect, it } from 'vitest';
import { assertServedBy } from '../fixtures/balancers.ts';
import type { Target } from '../fixtures/clients.ts';
import { expectNothingHeld, httpConfig, startHttp } from '../fixtures/http-balancers.ts';
import { get, HttpClient } from '../fixtures/http-clients.ts';
import { forEachEngine, useScene } from '../fixtures/scene.ts';
import { startSite } from '../fixtures/site.ts';
import { opcodes, WebSocketClient } from '../fixtures/websockets.ts';

const scene = useScene();
const sockets = 1000;
const edits = 1000;
const connectsAtOnce = 100;

async function openSockets(target: Target): Promise<WebSocketClient[]> {
  const clients: WebSocketClient[] = [];
  scene.after(() => {
    for (const { socket } of clients) socket.destroy();
  });
  while (clients.length < sockets) {
    const some = Array.from({ length: connectsAtOnce }, () => WebSocketClient.open(target, '/ws'));
    clients.push(...(await Promise.all(some)));
  }
  return clients;
}

// Requests on kept connections until `stop`, which gives how many there were. Any but a good
// answer to it fails the test.
function startRequests(target: Target, clients: number) {
  let stopped = false;
  let asked = 0;
  const one = async (nth: number): Promise<void> => {
    const client = await new HttpClient(target).opened();
    for (let round = 0; !stopped; round++) {
      const path = `/${['x', 'added', 'ws'][round % 3]}/${nth}/${round}`;
      const { status, text } = await client.ask(get(path));
      if (status !== 200 || text !== `GET ${path}\n`)
        throw new Error(`${status} to ${path}: ${text}`);
      asked++;
    }
    client.close();
  };
  const done = Promise.all(Array.from({ length: clients }, (_, nth) => one(nth)));
  done.catch(() => {});
  return {
    stop: async (): Promise<number> => {
      stopped = true;
      await done;
      return asked;
    },
  };
}

forEachEngine((engine) => {
  it('carries messages of every length, pings and the closing handshake', async () => {
    const site = await startSite(scene);
    const http = await startHttp(scene, engine, [site.address]);
    const client = await WebSocketClient.open(http.target, '/ws');
    for (const length of [0, 1, 125, 126, 4096, 65_535, 65_536, 1_000_000]) {
      await client.echo('w'.repeat(length));
    }
    client.send(opcodes.ping, Buffer.from('are you there'));
    const { opcode, payload } = await client.next();
    expect([opcode, payload.toString()]).toEqual([opcodes.pong, 'are you there']);
    await client.close();
    await expectNothingHeld(http);
    const metrics = http.metrics();
    expect(metrics.one('sluice_listener_upgrades_total')).toBe(1);
    expect(metrics.sum('sluice_pool_errors_total')).toBe(0);
  });

  it('closes no WebSocket and fails no request during a thousand edits', async () => {
    const sites = await Promise.all(Array.from({ length: 5 }, () => startSite(scene)));
    const [a = '', b = '', c = '', d = '', e = ''] = sites.map(({ address }) => address);
    const http = await startHttp(scene, engine, [a, b]);
    const clients = await openSockets(http.target);
    await Promise.all(clients.map((client, nth) => client.echo(`first ${nth}`)));
    const load = startRequests(http.target, 8);

    const { lb } = http;
    const pool = lb.pool('web');
    const configure = (round: number): Promise<unknown> => {
      const web = round % 2 === 0 ? [a, b, d] : [a, b];
      const added = [{ pathPrefix: '/added', pool: 'more' }];
      // The route that the WebSockets came by comes and goes as well, and changes its pool.
      const theirs = [{ pathPrefix: '/ws', pool: round % 4 === 1 ? 'more' : 'web' }];
      const routes = [
        { pool: 'web' },
        ...(round % 2 === 0 ? added : []),
        ...(round % 3 === 0 ? theirs : []),
        { hosts: [`h${round}.example`], pool: 'more' },
      ];
      const pools = {
        web: { backends: web, drainTimeout: '1h' },
        more: { backends: [e, { address: b, weight: 1 + (round % 9) }], drainTimeout: '1h' },
      };
      return lb.apply(httpConfig(engine, [], { listener: { routes }, more: { pools } }));
    };
    for (let edit = 0; edit < edits; edit += 4) {
      await pool.add({ address: c, weight: 1 + (edit % 3) });
      await pool.update(a, { weight: 1 + (edit % 5) });
      await configure(edit / 4);
      if (pool.backends().some(({ id, removing }) => id === c && !removing)) await pool.remove(c);
      else await pool.update(b, { weight: 1 + (edit % 7) });
    }

    const asked = await load.stop();
    console.log(`${engine}: ${asked} requests during ${edits} edits`);
    expect(asked).toBeGreaterThan(edits);
    expect(clients.filter((client) => !client.isOpen)).toEqual([]);
    await Promise.all(clients.map((client, nth) => client.echo(`last ${nth}`)));
    const metrics = http.metrics();
    expect(metrics.one('sluice_listener_connections_active')).toBe(sockets);
    expect(metrics.one('sluice_listener_upgrades_total')).toBe(sockets);
    expect(metrics.one('sluice_listener_responses_total', { status: '2xx' })).toBe(asked);
    expect(metrics.one('sluice_listener_requests_total')).toBe(sockets + asked);
    expect(metrics.sum('sluice_pool_errors_total')).toBe(0);
    assertServedBy(metrics, engine);
    for (const { socket } of clients) socket.destroy();
    await expectNothingHeld(http);
  }, 90_000);
});
