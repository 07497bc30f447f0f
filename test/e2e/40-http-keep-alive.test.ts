// How long connections live on both sides, and in which order requests on them are answered.
import { expect, it } from 'vitest';
import { assertServedBy } from '../fixtures/balancers.ts';
import { askAllWorkers, expectNothingHeld, startHttp } from '../fixtures/http-balancers.ts';
import { askOnce, get, openHttp, post, postChunked } from '../fixtures/http-clients.ts';
import { describeCall, message, startHttpOrigin } from '../fixtures/http-origins.ts';
import { forEachEngine, pause, useScene } from '../fixtures/scene.ts';

const scene = useScene();

forEachEngine((engine) => {
  it('serves by all workers, and holds nothing afterwards', async () => {
    const origin = await startHttpOrigin(scene);
    const http = await startHttp(scene, engine, [origin.address]);
    const asked = await askAllWorkers(http);
    assertServedBy(http.metrics(), engine);
    await expectNothingHeld(http);
    expect(origin.calls).toHaveLength(asked);
    const metrics = http.metrics();
    expect(metrics.one('sluice_listener_requests_total')).toBe(asked);
    expect(metrics.one('sluice_listener_responses_total', { status: '2xx' })).toBe(asked);
    expect(metrics.one('sluice_pool_requests_total')).toBe(asked);
  });

  it('serves many requests on one connection, over one connection to the backend', async () => {
    const origin = await startHttpOrigin(scene);
    const http = await startHttp(scene, engine, [origin.address]);
    const client = await openHttp(scene, http.target);
    for (let nth = 0; nth < 50; nth++) {
      const { text, head } = await client.ask(nth % 2 === 0 ? get(`/${nth}`) : post('abc'));
      expect(text).toBe(nth % 2 === 0 ? `origin GET /${nth} 0\n` : 'origin POST / 3\n');
      expect(head.one('connection')).toBeUndefined();
    }
    expect(origin.connections).toBe(1);
    expect(http.metrics().one('sluice_backend_connections_reused_total')).toBe(49);
    client.close();
    await expectNothingHeld(http);
  });

  it('closes after an answer when the client asks for it', async () => {
    const origin = await startHttpOrigin(scene);
    const http = await startHttp(scene, engine, [origin.address]);
    const client = await openHttp(scene, http.target);
    const { head, text } = await client.ask(get('/', 'Connection: close\r\n'));
    expect(head.one('connection')).toBe('close');
    expect(text).toBe('origin GET / 0\n');
    expect(await client.ended()).toBe('end');
    // The backend's connection is ours to keep.
    expect(origin.calls[0]?.head.one('connection')).toBeUndefined();
    await askOnce(http.target, get());
    expect(origin.calls).toHaveLength(2);
    expect(http.metrics().sum('sluice_listener_requests_aborted_total')).toBe(0);
  });

  it('closes towards the backend after every answer with serverClose', async () => {
    const origin = await startHttpOrigin(scene);
    const listener = { serverClose: true };
    const http = await startHttp(scene, engine, [origin.address], { listener });
    const client = await openHttp(scene, http.target);
    for (let nth = 1; nth <= 3; nth++) {
      const { head, text } = await client.ask(get());
      expect(text).toBe('origin GET / 0\n');
      expect(head.one('connection')).toBeUndefined();
      expect(origin.connections).toBe(nth);
    }
    expect(http.metrics().one('sluice_backend_connections_reused_total')).toBe(0);
  });

  it('closes towards HTTP/1.0 clients, unless they ask to keep the connection', async () => {
    const origin = await startHttpOrigin(scene);
    const http = await startHttp(scene, engine, [origin.address]);
    const old = await openHttp(scene, http.target);
    const closed = await old.ask('GET /old HTTP/1.0\r\nHost: a.example\r\n\r\n');
    expect(closed.text).toBe('origin GET /old 0\n');
    expect(closed.head.one('connection')).toBe('close');
    expect(await old.ended()).toBe('end');

    const keeping = await openHttp(scene, http.target);
    for (let nth = 0; nth < 3; nth++) {
      const kept = await keeping.ask('GET /k HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n');
      expect(kept.text).toBe('origin GET /k 0\n');
      expect(kept.head.one('connection')?.toLowerCase()).toBe('keep-alive');
    }
    // Towards the backend all of it is HTTP/1.1, which needs a Host.
    expect(origin.calls.at(-1)?.head.start).toBe('GET /k HTTP/1.1');
    expect(origin.calls.at(-1)?.head.one('host')).toBe('');
  });

  it('answers pipelined requests in their order, whatever each takes', async () => {
    const origin = await startHttpOrigin(scene, async (call, name) => {
      if (call.path.startsWith('/slow')) await pause(60);
      await describeCall(call, name);
    });
    const http = await startHttp(scene, engine, [origin.address]);
    const client = await openHttp(scene, http.target);
    const requests = [
      get('/slow1'),
      get('/2'),
      post('x'.repeat(5000), '/3'),
      postChunked(['ab', 'cde'], '/4'),
      get('/slow5'),
      get('/6', 'Connection: close\r\n'),
      get('/never'),
    ];
    await client.send(Buffer.concat(requests.map((request) => Buffer.from(request))));
    const texts: string[] = [];
    for (let nth = 0; nth < 6; nth++) texts.push((await client.answer()).text);
    expect(texts).toEqual([
      'origin GET /slow1 0\n',
      'origin GET /2 0\n',
      'origin POST /3 5000\n',
      'origin POST /4 5\n',
      'origin GET /slow5 0\n',
      'origin GET /6 0\n',
    ]);
    expect(await client.ended()).toBe('end');
    expect(client.stream.held).toHaveLength(0);
    expect(origin.calls).toHaveLength(6);
    client.close();
    await expectNothingHeld(http);
  });

  it('gives every one of many busy clients its own answers', async () => {
    const origins = await Promise.all(
      ['a', 'b', 'c'].map((name) => startHttpOrigin(scene, describeCall, { name })),
    );
    const http = await startHttp(
      scene,
      engine,
      origins.map(({ address }) => address),
    );
    await Promise.all(
      Array.from({ length: 40 }, async (_, who) => {
        const client = await openHttp(scene, http.target);
        for (let nth = 0; nth < 25; nth++) {
          const body = 'y'.repeat((who * 37 + nth * 401) % 9000);
          const { text } = await client.ask(post(body, `/${who}/${nth}`));
          expect(text.slice(2)).toBe(`POST /${who}/${nth} ${body.length}\n`);
        }
        client.close();
      }),
    );
    const counts = origins.map(({ calls }) => calls.length);
    expect(counts.reduce((sum, count) => sum + count)).toBe(1000);
    expect(Math.min(...counts)).toBeGreaterThan(300);
    await expectNothingHeld(http);
  });

  it('keeps the client when the backend closes, and the backend when the client does', async () => {
    const origin = await startHttpOrigin(scene, async (call) => {
      await call.send(message('bye', 'Connection: close\r\n'));
      call.close();
    });
    const http = await startHttp(scene, engine, [origin.address]);
    const client = await openHttp(scene, http.target);
    for (let nth = 1; nth <= 3; nth++) {
      const { head, text } = await client.ask(get());
      expect(text).toBe('bye');
      expect(head.one('connection')).toBeUndefined();
      expect(origin.connections).toBe(nth);
    }
    expect(http.metrics().sum('sluice_pool_request_retries_total')).toBe(0);
  });

  it('takes empty lines between requests for nothing', async () => {
    const origin = await startHttpOrigin(scene);
    const timeouts = { requestHead: '250ms', clientIdle: '1s' };
    const parts = { listener: { timeouts } };
    const http = await startHttp(scene, engine, [origin.address], parts);
    const client = await openHttp(scene, http.target);
    // As some clients send behind a body (RFC 9112 2.2), in one piece and in two.
    for (const pieces of [['\r\n'], ['\r\n\r\n', '\r', '\n']]) {
      await client.ask(post('abc'));
      await client.send(...pieces);
      await pause(500);
      expect(client.stream.how).toBe('');
      expect(http.metrics().sum('sluice_worker_buffers_lent')).toBe(0);
      expect((await client.ask(get())).status).toBe(200);
    }
    // They are no sign of life either.
    const from = performance.now();
    await client.send('\r\n', '\r\n');
    expect(await client.ended(3_000)).toBe('end');
    expect(performance.now() - from).toBeGreaterThan(700);
    expect(client.stream.held).toHaveLength(0);
    const metrics = http.metrics();
    expect(metrics.sum('sluice_listener_answers_total')).toBe(0);
    expect(metrics.sum('sluice_listener_requests_aborted_total')).toBe(0);
    await expectNothingHeld(http);
  });

  it('counts empty lines before a request, in whatever pieces they come', async () => {
    const origin = await startHttpOrigin(scene);
    const http = await startHttp(scene, engine, [origin.address]);
    const line = '\r\n';
    for (const [pieces, status] of [
      [[line, line, line, line, get()], 200],
      [[line, line + line, line + get()], 200],
      [[line, line, line + line, line + get()], 400],
      [[line, line, line, line, line], 400],
    ] as const) {
      const client = await openHttp(scene, http.target);
      await client.send(...pieces);
      expect((await client.answer()).status).toBe(status);
      client.close();
    }
    await expectNothingHeld(http);
  });
});
