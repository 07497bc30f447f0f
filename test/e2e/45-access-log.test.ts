// The access log: one line for each request, whatever became of it.
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Config } from '../../src/index.ts';
import { type Entry, logged, readCombined, readEntries } from '../fixtures/access-logs.ts';
import { proveServed } from '../fixtures/balancers.ts';
import { type HttpBalancer, httpConfig, startHttp } from '../fixtures/http-balancers.ts';
import { askOnce, get, openHttp, post } from '../fixtures/http-clients.ts';
import { callAt, startHttpOrigin, wait } from '../fixtures/http-origins.ts';
import { type Engine, forEachEngine, type Scene, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();

const newPath = (own: Scene): string => join(own.folder(), 'access.log');

// All requests have been logged.
async function settled({ metrics }: HttpBalancer): Promise<void> {
  await until('all is logged', () => {
    const { records, requests } = logged(metrics());
    return records === requests;
  });
}

const unusedPort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

// Three pools: one that serves, one that refuses, one without backends.
async function startVaried(engine: Engine) {
  const origin = await startHttpOrigin(scene);
  const dead = `127.0.0.1:${await unusedPort()}`;
  const path = newPath(scene);
  const http = await startHttp(scene, engine, [], {
    listener: {
      routes: [
        { pathPrefix: '/api', pool: 'web' },
        { hosts: ['*.down.example'], pool: 'down' },
        { hosts: ['none.example'], pool: 'none' },
      ],
    },
    more: {
      accessLog: { path },
      pools: {
        web: { backends: [origin.address] },
        down: { backends: [dead] },
        none: { backends: [] },
      },
    },
  });
  return { http, path, served: origin.address, dead };
}

forEachEngine((engine) => {
  it('says of each request what was asked and what came of it', async () => {
    const { http, path, served: address, dead } = await startVaried(engine);
    const { target } = http;
    const client = await openHttp(scene, target);
    const fields = 'User-Agent: tester/1 (x; "y")\r\nREFERER: http://from.example/?a=\\b\r\n';
    await client.ask(get('/api/a?b=c', fields));
    await client.ask(post('12345', '/api/post'));
    await client.ask('HEAD /api/head HTTP/1.0\r\nHost: a.example\r\n\r\n', 'HEAD').catch(() => {});
    await askOnce(target, get('/nowhere'));
    await askOnce(target, 'GET / HTTP/1.1\r\nHost: x.down.example\r\n\r\n');
    await askOnce(target, 'GET / HTTP/1.1\r\nHost: none.example\r\n\r\n');
    await askOnce(target, 'GET / HTTP/1.1\r\n\r\n');
    const odd = Buffer.from(get('/api/odd', 'User-Agent: gr\xc3\xbc\xff\x80\r\n'), 'latin1');
    await askOnce(target, odd, 'GET');
    await settled(http);
    const entries = readEntries(path);
    const common = { client_addr: '127.0.0.1', listener: 'in', retries: 0 };
    const told = { ...common, protocol: 'HTTP/1.1', user_agent: null, referer: null };
    const served = { ...told, pool: 'web', route: '*/api', backend: address, status: 200 };
    const of = (wanted: Partial<Entry>) => expect.objectContaining(wanted);
    expect(entries).toHaveLength(8);
    const find = (own: (entry: Entry) => boolean): Entry | undefined => entries.find(own);
    const first = find((entry) => entry.path === '/api/a?b=c');
    expect(first).toEqual(
      of({
        ...served,
        method: 'GET',
        host: 'a.example',
        reused: false,
        end: 'complete',
        user_agent: 'tester/1 (x; "y")',
        referer: 'http://from.example/?a=\\b',
        bytes_in: get('/api/a?b=c', fields).length,
      }),
    );
    expect(first?.connect_time).toBeGreaterThan(0);
    expect(first?.duration).toBeGreaterThanOrEqual(first?.first_byte_time ?? 9);
    expect(Math.abs(Date.now() - Date.parse(first?.time ?? ''))).toBeLessThan(60_000);
    const posted = find((entry) => entry.path === '/api/post');
    const bytes = post('12345', '/api/post').length;
    expect(posted).toEqual(of({ ...served, method: 'POST', reused: true, bytes_in: bytes }));
    expect(posted?.connect_time).toBeNull();
    expect(find((entry) => entry.method === 'HEAD')?.protocol).toBe('HTTP/1.0');
    const none = { route: null, pool: null, backend: null };
    expect(find((entry) => entry.path === '/nowhere')).toEqual(
      of({ ...told, ...none, status: 404, end: 'no_route' }),
    );
    expect(find((entry) => entry.pool === 'down')).toEqual(
      of({
        ...told,
        host: 'x.down.example',
        route: '*.down.example/',
        status: 502,
        end: 'connect_refused',
        backend: dead,
        retries: 1,
      }),
    );
    expect(find((entry) => entry.pool === 'none')).toEqual(
      of({ ...told, host: 'none.example', backend: null, status: 503, end: 'no_backend' }),
    );
    expect(find((entry) => entry.end === 'bad_request')).toEqual(
      of({ ...common, ...none, method: null, path: null, host: null, status: 400 }),
    );
    // Valid UTF-8 stays; other bytes are told apart from it by being escaped.
    expect(find((entry) => entry.path === '/api/odd')?.user_agent).toBe('grü\u00ff\u0080');
  });

  it('writes a client that left, and one that a backend failed', async () => {
    const origin = await startHttpOrigin(scene, wait);
    const path = newPath(scene);
    const http = await startHttp(scene, engine, [origin.address], {
      more: { accessLog: { path } },
    });
    const client = await openHttp(scene, http.target);
    await client.send(get('/left'));
    await callAt(origin, 0);
    client.close();
    await until('the record', () => logged(http.metrics()).records === 1);
    const other = await openHttp(scene, http.target);
    await other.send(get('/cut'));
    const call = await callAt(origin, 1);
    await call.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345');
    await until('the head is there', () => other.stream.held.length > 0);
    call.reset();
    await until('the record', () => logged(http.metrics()).records === 2);
    expect(readEntries(path)).toEqual([
      expect.objectContaining({ path: '/left', status: null, end: 'client_aborted' }),
      expect.objectContaining({ path: '/cut', status: 200, end: 'response_cut' }),
    ]);
  });

  it('writes combined lines as nginx does, whatever the bytes', async () => {
    const origin = await startHttpOrigin(scene);
    const path = newPath(scene);
    const http = await startHttp(scene, engine, [origin.address], {
      more: { accessLog: { path, format: 'combined' } },
    });
    const bytes = Array.from({ length: 256 }, (_, byte) => byte);
    const hostile = Buffer.from(
      bytes.filter((byte) => byte === 9 || (byte >= 32 && byte !== 127)),
    ).toString('latin1');
    const client = await openHttp(scene, http.target);
    const request = get('/x?"<>\\', `User-Agent: ${hostile}z\r\nReferer: http://r.example/\r\n`);
    const { body } = await client.ask(Buffer.from(request, 'latin1'));
    await client.ask(get(`/${'y'.repeat(4000)}`));
    await settled(http);
    const [first, second] = readCombined(path);
    expect(first).toMatchObject({
      address: '127.0.0.1',
      request: 'GET /x?\\x22<>\\x5C HTTP/1.1',
      status: '200',
      bytes: String(body.length),
      referer: 'http://r.example/',
    });
    const agent = first?.['agent'] ?? '';
    const decoded = agent.replace(/\\x([0-9A-F]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    expect(decoded).toBe(`${hostile}z`.trim());
    // Cut to a limit, not lost.
    expect(second?.['request']).toBe(`GET /${'y'.repeat(2047)} HTTP/1.1`);
  });

  it('goes where the configuration says, from one request to the next', async () => {
    const origin = await startHttpOrigin(scene);
    const folder = scene.folder();
    const http = await startHttp(scene, engine, [origin.address]);
    const { lb, target } = http;
    const config = (accessLog?: Config['accessLog']): Config =>
      httpConfig(engine, [origin.address], {
        more: accessLog === undefined ? {} : { accessLog },
      });
    const client = await openHttp(scene, target);
    const [one, two] = [join(folder, 'one'), join(folder, 'two')];
    await client.ask(get('/off'));
    await lb.apply(config({ path: one }));
    await client.ask(get('/json'));
    await lb.apply(config({ path: one, format: 'combined' }));
    await client.ask(get('/combined'));
    await lb.apply(config({ path: two, format: 'combined' }));
    await client.ask(get('/two'));
    // What cannot be opened is refused, with its path, and nothing changes.
    const bad = config({ path: join(folder, 'no', 'such') });
    await expect(lb.apply(bad)).rejects.toMatchObject({
      code: 'ERR_SLUICE_ACCESS_LOG',
      message: expect.stringMatching(/no\/such: .*ENOENT/),
    });
    await client.ask(get('/still'));
    await lb.apply(config());
    await until('all is written', () => logged(http.metrics()).records === 4);
    await client.ask(get('/off-again'));
    await lb.apply(config({ path: two, format: 'combined' }));
    await client.ask(get('/on'));
    await proveServed(lb, engine);
    await lb.close({ timeout: 0 });
    const [json, combined] = readFileSync(one, 'utf8').trimEnd().split('\n');
    expect(JSON.parse(json ?? '')).toMatchObject({ path: '/json', backend: origin.address });
    expect(combined).toContain('"GET /combined HTTP/1.1" 200');
    const later = readCombined(two).map(({ request }) => request);
    expect(later).toEqual(['GET /two HTTP/1.1', 'GET /still HTTP/1.1', 'GET /on HTTP/1.1']);
  });

  it('counts what a full disk costs, and serves on', async () => {
    const origin = await startHttpOrigin(scene);
    const http = await startHttp(scene, engine, [origin.address], {
      more: { accessLog: { path: '/dev/full' } },
    });
    const client = await openHttp(scene, http.target);
    for (let nth = 0; nth < 5; nth++) {
      expect((await client.ask(get('/'))).status).toBe(200);
    }
    await until('dropped', () => logged(http.metrics()).dropped === 5);
    expect(logged(http.metrics())).toMatchObject({ records: 0, requests: 5 });
    expect(logged(http.metrics()).writeErrors).toBeGreaterThan(0);
  });

  it('starts nothing where the log cannot be opened', async () => {
    const origin = await startHttpOrigin(scene);
    const more = { accessLog: { path: join(scene.folder(), 'no', 'such') } };
    await expect(startHttp(scene, engine, [origin.address], { more })).rejects.toMatchObject({
      code: 'ERR_SLUICE_ACCESS_LOG',
    });
    expect(existsSync(more.accessLog.path)).toBe(false);
  });
});
