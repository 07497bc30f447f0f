// What sluice answers itself: the exact message, and the counter of its reason.
import { expect, it } from 'vitest';
import { expectNothingHeld, startHttp } from '../fixtures/http-balancers.ts';
import { get, openHttp } from '../fixtures/http-clients.ts';
import { message, startHttpOrigin } from '../fixtures/http-origins.ts';
import { forEachEngine, useScene } from '../fixtures/scene.ts';

const scene = useScene();
const host = 'Host: a.example\r\n';

const refused: readonly (readonly [status: number, reason: string, request: string])[] = [
  [400, 'Bad Request', 'GET / HTTP/1.1\r\n\r\n'],
  [400, 'Bad Request', `GET / HTTP/1.1\r\n${host}X: \x01\r\n\r\n`],
  [414, 'URI Too Long', get(`/${'x'.repeat(9000)}`)],
  [417, 'Expectation Failed', get('/', 'Expect: something\r\n')],
  [431, 'Request Header Fields Too Large', get('/', `X: ${'x'.repeat(17_000)}\r\n`)],
  [431, 'Request Header Fields Too Large', get('/', 'X: y\r\n'.repeat(128))],
  [501, 'Not Implemented', `CONNECT a.example:80 HTTP/1.1\r\n${host}\r\n`],
  [505, 'HTTP Version Not Supported', `GET / HTTP/2.0\r\n${host}\r\n`],
  [505, 'HTTP Version Not Supported', `GET / HTTP/1.2\r\n${host}\r\n`],
];

forEachEngine((engine) => {
  const routes = [{ pathPrefix: '/known', pool: 'web' }];

  it.each(refused)('is %i %s, and the end of the connection', async (status, reason, request) => {
    const origin = await startHttpOrigin(scene);
    const http = await startHttp(scene, engine, [origin.address]);
    const client = await openHttp(scene, http.target);
    const answer = await client.ask(`${request}${get('/next')}`);
    expect(answer.head.start).toBe(`HTTP/1.1 ${status} ${reason}`);
    expect(answer.text).toBe(`${status} ${reason}\n`);
    expect(answer.head.one('connection')).toBe('close');
    // In good order: the client has to be able to read the answer.
    expect(await client.ended()).toBe('end');
    expect(client.stream.held).toHaveLength(0);
    client.close();
    await expectNothingHeld(http);
    expect(origin.connections).toBe(0);
    const metrics = http.metrics();
    const byStatus = metrics.all('sluice_listener_answers_total').filter(({ value }) => value > 0);
    expect(byStatus.map(({ labels, value }) => [labels['status'], value])).toEqual([
      [String(status), 1],
    ]);
    const byClass = metrics.all('sluice_listener_responses_total').filter(({ value }) => value > 0);
    expect(byClass.map(({ labels, value }) => [labels['status'], value])).toEqual([
      [`${Math.floor(status / 100)}xx`, 1],
    ]);
    expect(metrics.one('sluice_listener_requests_total')).toBe(1);
  });

  it('is 404 where there is no route, and the client may go on', async () => {
    const origin = await startHttpOrigin(scene);
    const http = await startHttp(scene, engine, [origin.address], { listener: { routes } });
    const client = await openHttp(scene, http.target);
    for (let nth = 0; nth < 3; nth++) {
      const { status, head, text } = await client.ask(get('/unknown'));
      expect([status, text]).toEqual([404, '404 Not Found\n']);
      expect(head.one('connection')).toBeUndefined();
      expect((await client.ask(get('/known/x'))).status).toBe(200);
    }
    const metrics = http.metrics();
    expect(metrics.one('sluice_listener_answers_total', { status: '404' })).toBe(3);
    expect(metrics.one('sluice_pool_requests_total')).toBe(3);
  });

  it('has a date, as have answers of backends without one', async () => {
    const origin = await startHttpOrigin(scene, async (call) => {
      if (call.path === '/known/dated') await call.send(message('a', 'Date: any\r\n'));
      else await call.send('HTTP/1.1 103 Early Hints\r\n\r\n', message('b'));
    });
    const http = await startHttp(scene, engine, [origin.address], { listener: { routes } });
    const client = await openHttp(scene, http.target);
    const soon = (text: string | undefined): void => {
      expect(new Date(text ?? '').toUTCString()).toBe(text);
      expect(Math.abs(Date.parse(text ?? '') - Date.now())).toBeLessThan(5_000);
    };
    expect((await client.ask(get('/known/dated'))).head.one('date')).toBe('any');
    const undated = await client.ask(get('/known'));
    soon(undated.head.one('date'));
    expect(undated.interim.map((head) => head.one('date'))).toEqual([undefined]);
    for (const request of [get('/unknown'), `HEAD /unknown HTTP/1.1\r\n${host}\r\n`, 'x\r\n\r\n']) {
      soon((await client.ask(request)).head.one('date'));
    }
    await expectNothingHeld(http);
  });

  it('has no body in answer to HEAD, and says how long it would be', async () => {
    const origin = await startHttpOrigin(scene);
    const http = await startHttp(scene, engine, [origin.address], { listener: { routes } });
    const client = await openHttp(scene, http.target);
    const head = `HEAD /unknown HTTP/1.1\r\n${host}\r\n`;
    for (let nth = 0; nth < 2; nth++) {
      const answer = await client.ask(head);
      expect([answer.status, answer.head.one('content-length')]).toEqual([404, '14']);
    }
    expect((await client.ask(get('/known'))).status).toBe(200);
    const none = await startHttp(scene, engine, []);
    const other = await openHttp(scene, none.target);
    expect((await other.ask(head)).status).toBe(503);
    expect((await other.ask(head)).status).toBe(503);
    expect(other.stream.held).toHaveLength(0);
  });

  it('does not take the body of what it refuses for a request', async () => {
    const origin = await startHttpOrigin(scene);
    const http = await startHttp(scene, engine, [origin.address], { listener: { routes } });
    const smuggled = get('/known/smuggled');
    const size = smuggled.length.toString(16);
    for (const framing of [
      `Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
      `Transfer-Encoding: chunked\r\n\r\n${size}\r\n${smuggled}\r\n0\r\n\r\n`,
    ]) {
      const client = await openHttp(scene, http.target);
      await client.send(`POST /unknown HTTP/1.1\r\n${host}${framing}`, get('/known/next'));
      const { status } = await client.answer();
      expect(status).toBe(404);
      expect(await client.ended()).not.toBe('');
      client.close();
    }
    await expectNothingHeld(http);
    expect(origin.calls.map(({ path }) => path)).not.toContain('/known/smuggled');
  });

  it('frees the connection soon, also of a client that stays', async () => {
    const http = await startHttp(scene, engine, []);
    const client = await openHttp(scene, http.target);
    await client.send('nonsense\r\n\r\n');
    expect((await client.answer()).status).toBe(400);
    expect(await client.ended()).toBe('end');
    // What it still sends is read for a while and then no longer.
    const sending = setInterval(() => void client.send('more'), 50);
    scene.after(() => clearInterval(sending));
    await expectNothingHeld(http);
  });

  it('is read by a client that is still sending', async () => {
    const http = await startHttp(scene, engine, []);
    for (let nth = 0; nth < 10; nth++) {
      const client = await openHttp(scene, http.target);
      const head = `POST / HTTP/1.1\r\n${host}Content-Length: 900000\r\n\r\n`;
      await client.send(Buffer.concat([Buffer.from(head), Buffer.alloc(900_000)]));
      expect((await client.answer()).status).toBe(503);
      expect(await client.ended()).toBe('end');
      client.close();
    }
    await expectNothingHeld(http);
  });
});
