// Answers before the answer: 100 and 103, and what the client may then do.
import { expect, it } from 'vitest';
import { expectNothingHeld, startHttp } from '../fixtures/http-balancers.ts';
import { askOnce, get, openHttp } from '../fixtures/http-clients.ts';
import { message, type Serve, startHttpOrigin } from '../fixtures/http-origins.ts';
import { forEachEngine, pause, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
const expecting = (length: number): string =>
  `POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
const go = 'HTTP/1.1 100 Continue\r\n\r\n';
const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n';

forEachEngine((engine) => {
  const start = async (serve: Serve) => {
    const origin = await startHttpOrigin(scene, serve);
    return { origin, http: await startHttp(scene, engine, [origin.address]) };
  };

  it('passes on the permission to send a body', async () => {
    const { origin, http } = await start(async (call) => {
      await call.send(go);
      await call.send(message(await call.body()));
    });
    const client = await openHttp(scene, http.target);
    for (let round = 0; round < 3; round++) {
      await client.send(expecting(5));
      const head = await client.stream.head();
      expect(head.start).toBe('HTTP/1.1 100 Continue');
      await client.send('hello');
      expect((await client.answer()).text).toBe('hello');
    }
    expect(origin.calls[0]?.head.one('expect')).toBe('100-continue');
    expect(origin.connections).toBe(1);
  });

  it('passes on a refusal in its place, and ends the connection without the body', async () => {
    const { origin, http } = await start(async (call) => {
      await call.send(message('too much', '', '413 Content Too Large'));
      await call.body();
    });
    const client = await openHttp(scene, http.target);
    await client.send(expecting(5));
    const { status, interim, head } = await client.answer();
    expect([status, interim.length]).toEqual([413, 0]);
    await client.send(get('/x'));
    expect(await client.ended()).toBe('end');
    expect(origin.calls).toHaveLength(1);
    // Said too late to be in the head is an end of the connection; said in time is better.
    expect(head.one('connection') ?? 'close').toBe('close');
    client.close();
    await expectNothingHeld(http);
  });

  it('waits for the answer of a backend that says nothing until the body is there', async () => {
    const { http } = await start(async (call) => call.send(message(await call.body())));
    const client = await openHttp(scene, http.target);
    await client.send(expecting(5));
    await pause(50);
    expect(client.stream.raw).toHaveLength(0);
    expect((await client.ask('hello')).text).toBe('hello');
  });

  it('passes on hints, alone or together with the answer', async () => {
    let release = (): void => {};
    const { http } = await start(async (call) => {
      if (call.path === '/together') return call.send(`${hints}${hints}${message('x').toString()}`);
      await call.send(hints);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      await call.send(message('y'));
    });
    const client = await openHttp(scene, http.target);
    const both = await client.ask(get('/together'));
    expect(both.interim.map(({ start: line }) => line)).toEqual([
      'HTTP/1.1 103 Early Hints',
      'HTTP/1.1 103 Early Hints',
    ]);
    expect(both.text).toBe('x');
    await client.send(get('/apart'));
    const early = await client.stream.head();
    expect(early.one('link')).toBe('</a.css>; rel=preload');
    release();
    expect((await client.answer()).text).toBe('y');
  });

  it('passes on more of them than it holds at a time', async () => {
    const large = `HTTP/1.1 103 Early Hints\r\nLink: <${'l'.repeat(15_000)}>\r\n\r\n`;
    const { http } = await start((call) =>
      call.send(`${large.repeat(12)}${message('x').toString()}`),
    );
    const { interim, text } = await askOnce(http.target, get());
    expect([interim.length, text]).toEqual([12, 'x']);
    const old = await askOnce(http.target, 'GET / HTTP/1.0\r\nHost: a\r\n\r\n');
    expect([old.interim.length, old.text]).toEqual([0, 'x']);
  });

  it('keeps hints from clients of HTTP/1.0', async () => {
    const { http } = await start((call) => call.send(`${hints}${message('x').toString()}`));
    const { interim, text } = await askOnce(http.target, 'GET / HTTP/1.0\r\nHost: a\r\n\r\n');
    expect([interim.length, text]).toEqual([0, 'x']);
  });

  it('gives up on a backend that only says what is to come', async () => {
    const { http } = await start(async (call) => {
      while (!call.socket.destroyed && call.stream.how === '') {
        call.socket.write(hints.repeat(4));
        await pause(5);
      }
    });
    const client = await openHttp(scene, http.target);
    const { status, interim } = await client.ask(get());
    expect(status).toBe(502);
    expect(interim.length).toBeGreaterThan(3);
    expect(interim.length).toBeLessThan(100);
    client.close();
    await until('counted', () => http.metrics().sum('sluice_pool_errors_total') === 1);
    await expectNothingHeld(http);
  });
});
