// The clients that people use. What each of them counted is what sluice counted, exactly.
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { assertServedBy } from '../fixtures/balancers.ts';
import { openPage } from '../fixtures/browser.ts';
import {
  askAllWorkers,
  expectNothingHeld,
  type HttpBalancer,
  startHttp,
} from '../fixtures/http-balancers.ts';
import { Ledger } from '../fixtures/ledger.ts';
import { start } from '../fixtures/programs.ts';
import { type Engine, forEachEngine, root, useScene } from '../fixtures/scene.ts';
import { digest, type Site, startSite } from '../fixtures/site.ts';

const scene = useScene();
const routes = { '/take': 'uploads', '/': 'web' } as const;

interface Place {
  readonly http: HttpBalancer;
  readonly ledger: Ledger;
  readonly url: string;
  readonly port: number;
  readonly sites: readonly Site[];
}

// Two workers, each of which has served before the client comes.
async function startPlace(engine: Engine): Promise<Place> {
  const sites = [await startSite(scene), await startSite(scene), await startSite(scene)];
  const [web = '', other = '', uploads = ''] = sites.map(({ address }) => address);
  const hosts = ['127.0.0.1', 'a.example'];
  const http = await startHttp(scene, engine, [web, other], {
    listener: {
      routes: Object.entries(routes).map(([pathPrefix, pool]) => ({ hosts, pathPrefix, pool })),
    },
    more: { pools: { web: { backends: [web, other] }, uploads: { backends: [uploads] } } },
  });
  const ledger = new Ledger(routes);
  ledger.add('/', 200, await askAllWorkers(http));
  if (!('port' in http.target)) throw new Error('no port');
  const { host, port } = http.target;
  return { http, ledger, url: `http://${host}:${port}`, port, sites };
}

// The counts agree, nothing is left, and as many requests as sluice balanced reached the backends.
async function settle({ http, ledger, sites }: Place, engine: Engine): Promise<void> {
  await ledger.agrees(http);
  await expectNothingHeld(http);
  const metrics = http.metrics();
  assertServedBy(metrics, engine);
  // Chromium resets connections that it no longer wants.
  const resets = metrics.sum('sluice_pool_errors_total', { reason: 'client_reset' });
  expect(metrics.sum('sluice_pool_errors_total') - resets).toBe(0);
  const reached = sites.reduce((sum, { requests, upgrades }) => sum + requests + upgrades, 0);
  expect(reached).toBe(metrics.sum('sluice_pool_requests_total'));
}

// The output of a program that must end well.
async function outputOf(command: string, args: readonly string[], input?: Buffer) {
  const program = start(scene, command, args);
  program.child.stdin?.end(input);
  const { code } = await program.exited;
  if (code !== 0) throw new Error(`${command} ended with ${code}\n${program.output}`);
  return program.output;
}

const matched = (text: string, pattern: RegExp): number[] => {
  const found = pattern.exec(text);
  if (found === null) throw new Error(`nothing like ${pattern} in\n${text}`);
  return found.slice(1).map(Number);
};

forEachEngine((engine) => {
  it('curl: several requests on a connection, uploads, HTTP/1.0', async () => {
    const place = await startPlace(engine);
    const { url, ledger } = place;
    const curl = (args: readonly string[], input?: Buffer) =>
      outputOf('curl', ['-sS', '-m', '20', '--noproxy', '*', ...args], input);
    const status = ['-w', '%{http_code} %{num_connects}\\n'];
    const paths = ['/a', '/status/404', '/b', '/status/503', '/status/204', '/c'];
    const said = await curl([...status, ...paths.map((path) => `${url}${path}`)]);
    const expected = [
      ...['GET /a', '200 1', '404', '404 0', 'GET /b', '200 0', '503', '503 0', '204 0'],
      ...['GET /c', '200 0'],
    ];
    expect(said.split('\n')).toEqual(expected);
    for (const code of [200, 404, 200, 503, 204, 200]) ledger.add('/', code);

    // Above a megabyte curl asks first whether it may send.
    const body = randomBytes(3_000_001);
    const file = join(scene.folder(), 'body');
    writeFileSync(file, body);
    const taken = `PUT ${body.length} ${digest(body)}`;
    expect(await curl(['-T', file, `${url}/take/file`])).toBe(taken);
    const chunked = ['-H', 'Transfer-Encoding: chunked', '-T', '-'];
    expect(await curl([...chunked, `${url}/take/stream`], body)).toBe(taken);
    const posted = await curl(['--data-binary', `@${file}`, `${url}/take?x=1`]);
    expect(posted).toBe(taken.replace('PUT', 'POST'));
    ledger.add('/take', 200, 3);

    const old = await curl(['--http1.0', ...status, `${url}/a`, `${url}/b`]);
    expect(old.split('\n')).toEqual(['GET /a', '200 1', 'GET /b', '200 1']);
    expect(await curl(['-I', `${url}/take`])).toMatch(/^HTTP\/1\.1 200 /);
    ledger.add('/', 200, 2);
    ledger.add('/take', 200);

    const nowhere = ['-H', 'Host: nowhere.example', '-o', '/dev/null', '-w', '%{http_code}'];
    expect(await curl([...nowhere, `${url}/a`])).toBe('404');
    ledger.add(undefined, 404);
    await settle(place, engine);
  });

  it('wrk: as many requests as it made', async () => {
    const place = await startPlace(engine);
    // Each thread stops asking after so many, so that none is cut off by the end of the run.
    const [threads, each] = [2, 2_000];
    const script = join(scene.folder(), 'count.lua');
    const lua = `
      local asked = 0
      function request()
        asked = asked + 1
        return wrk.format("GET", asked % 4 == 0 and "/take/x" or "/x")
      end
      function delay() return asked < ${each - 16} and 0 or (asked < ${each} and 1 or 600000) end`;
    writeFileSync(script, lua);
    const args = ['-t', `${threads}`, '-c', '16', '-d', '4s', '-s', script, `${place.url}/`];
    const output = await outputOf('wrk', args);
    expect(output).not.toMatch(/Socket errors|Non-2xx/);
    const [answered = 0] = matched(output, /(\d+) requests in /);
    // A request that is made may still wait for its delay.
    const sure = threads * (each - 16);
    expect(answered).toBeGreaterThanOrEqual(sure);
    const uploads = place.http
      .metrics()
      .sum('sluice_route_responses_total', { path: '/take', status: '2xx' });
    expect(uploads).toBeGreaterThanOrEqual(sure / 4);
    place.ledger.add('/take', 200, uploads);
    place.ledger.add('/', 200, answered - uploads);
    await settle(place, engine);
  });

  const autocannon = async ({ url }: Place, pipelining: number) => {
    const program = join(root, 'node_modules/autocannon/autocannon.js');
    const args = ['-a', '4000', '-c', '10', '-p', `${pipelining}`, '--json', '--no-progress'];
    const output = await outputOf(process.execPath, [program, ...args, `${url}/x`]);
    const result = JSON.parse(output) as Record<string, number> & {
      readonly requests: Readonly<Record<string, number>>;
    };
    const { errors, timeouts, mismatches, resets, non2xx } = result;
    const none = { errors: 0, timeouts: 0, mismatches: 0, resets: 0, non2xx: 0 };
    expect({ errors, timeouts, mismatches, resets, non2xx }).toEqual(none);
    return { sent: result.requests['sent'] ?? 0, answered: result['2xx'] ?? 0 };
  };

  it('autocannon: one request at a time on each connection', async () => {
    const place = await startPlace(engine);
    expect(await autocannon(place, 1)).toEqual({ sent: 4_000, answered: 4_000 });
    place.ledger.add('/', 200, 4_000);
    await settle(place, engine);
  });

  // It closes each of its connections when it has sent enough, with three requests on the way.
  it('autocannon: four requests at a time on each connection', async () => {
    const place = await startPlace(engine);
    const warm = place.ledger.total;
    expect(await autocannon(place, 4)).toEqual({ sent: 4_000, answered: 3_970 });
    await expectNothingHeld(place.http);
    const metrics = place.http.metrics();
    const requests = metrics.one('sluice_listener_requests_total') - warm;
    const good = metrics.one('sluice_listener_responses_total', { status: '2xx' }) - warm;
    expect(good).toBeGreaterThanOrEqual(3_970);
    expect(requests).toBeLessThanOrEqual(4_000);
    const aborted = metrics.one('sluice_listener_requests_aborted_total');
    expect(requests - good).toBeLessThanOrEqual(aborted);
    expect(aborted).toBeLessThanOrEqual(10);
    expect(metrics.sum('sluice_listener_responses_total') - warm).toBe(good);
  });

  it.each([1, 4])('h2load in HTTP/1.1: %i requests at a time on each connection', async (many) => {
    const place = await startPlace(engine);
    const args = ['--h1', '-n', '6400', '-c', '16', '-m', `${many}`, '-t', '2'];
    const output = await outputOf('h2load', [...args, `${place.url}/x`, `${place.url}/take`]);
    const requests = /(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/;
    expect(matched(output, requests)).toEqual([6_400, 6_400, 0, 0, 0]);
    expect(matched(output, /(\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/)).toEqual([6_400, 0, 0, 0]);
    // Its clients take the two in turn.
    place.ledger.add('/', 200, 3_200);
    place.ledger.add('/take', 200, 3_200);
    await settle(place, engine);
  });

  it('fetch: bodies of every kind, sixty-four at a time', async () => {
    const place = await startPlace(engine);
    const one = async (nth: number): Promise<void> => {
      const body = randomBytes((nth * 7_919) % 200_000);
      const chunks = [body.subarray(0, body.length >> 1), body.subarray(body.length >> 1)];
      const streamed = { body: ReadableStream.from(chunks), duplex: 'half' };
      const options = { method: 'POST', ...(nth % 2 === 0 ? { body } : streamed) };
      const taken = await fetch(`${place.url}/take/${nth}`, options as RequestInit);
      expect(taken.status).toBe(200);
      expect(await taken.text()).toBe(`POST ${body.length} ${digest(body)}\n`);
      place.ledger.add('/take', taken.status);
      for (const status of [200, 204, 304, 404, 500]) {
        const answer = await fetch(`${place.url}/status/${status}`, { redirect: 'manual' });
        await answer.arrayBuffer();
        expect(answer.status).toBe(status);
        place.ledger.add('/', answer.status);
      }
    };
    await Promise.all(Array.from({ length: 64 }, (_, nth) => one(nth)));
    await settle(place, engine);
  });

  it('Node’s http with an agent: uses its connections again', async () => {
    const place = await startPlace(engine);
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    scene.after(() => agent.destroy());
    const ports = new Set<number>();
    const ask = (method: string, path: string, body?: Buffer): Promise<[number, string]> =>
      new Promise((resolve, reject) => {
        const where = { host: '127.0.0.1', port: place.port, path, method, agent };
        const asked = request(where, (response) => {
          ports.add(response.socket.localPort ?? 0);
          let text = '';
          response.setEncoding('utf8').on('data', (part: string) => {
            text += part;
          });
          response.on('end', () => resolve([response.statusCode ?? 0, text])).on('error', reject);
        });
        asked.on('error', reject).end(body);
      });
    const rounds = Array.from({ length: 400 }, async (_, nth) => {
      const body = randomBytes(nth * 100);
      if (nth % 4 === 0) {
        expect(await ask('PUT', '/take', body)).toEqual([
          200,
          `PUT ${body.length} ${digest(body)}\n`,
        ]);
      } else if (nth % 4 === 1) expect(await ask('HEAD', '/take')).toEqual([200, '']);
      else expect(await ask('GET', `/x${nth}`)).toEqual([200, `GET /x${nth}\n`]);
      place.ledger.add(nth % 4 < 2 ? '/take' : '/', 200);
    });
    await Promise.all(rounds);
    expect(ports.size).toBe(8);
    agent.destroy();
    await settle(place, engine);
  });

  it('Chromium: a page with fifty resources, and a WebSocket', async () => {
    const place = await startPlace(engine);
    const page = await openPage(scene, `${place.url}/page/50`);
    expect(await page.evaluate('ready')).toBe('hello');
    expect(await page.evaluate('window.scripts')).toBe(17);
    const images = '[...document.images].filter((i) => i.complete && i.naturalWidth === 3).length';
    expect(await page.evaluate(images)).toBe(17);
    expect(await page.evaluate('document.styleSheets.length')).toBe(16);
    // It stays open while the configuration changes around it.
    const pool = place.http.lb.pool('web');
    const spare = await startSite(scene);
    for (let edit = 0; edit < 10; edit++) {
      await pool.add(spare.address);
      expect(await page.evaluate(`say('${'m'.repeat(edit * 10_000)}').then((m) => m.length)`)).toBe(
        edit * 10_000,
      );
      await pool.remove(spare.address, { timeout: '5s' });
    }
    expect(page.statuses).toHaveLength(52);
    for (const status of page.statuses) place.ledger.add('/', status);
    expect(place.http.metrics().one('sluice_listener_upgrades_total')).toBe(1);
    await page.evaluate('ws.close()');
    await page.close();
    await settle(place, engine);
  });
});
