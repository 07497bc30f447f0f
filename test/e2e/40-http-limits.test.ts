// What one client can make sluice hold: large answers it does not read, requests in great number,
// and exchanges it leaves at any byte.
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { expectNothingHeld, type HttpBalancer, startHttp } from '../fixtures/http-balancers.ts';
import {
  askOnce,
  chunked,
  get,
  HttpClient,
  openHttp,
  postChunked,
} from '../fixtures/http-clients.ts';
import { describeCall, startHttpOrigin, wait } from '../fixtures/http-origins.ts';
import { startHttpProcess } from '../fixtures/programs.ts';
import { forEachEngine, pause, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
const mebibyte = 1024 * 1024;

const lentBytes = ({ metrics }: HttpBalancer): number => {
  const now = metrics();
  const lent = (size: string): number => now.sum('sluice_worker_buffers_lent', { size });
  const pipes = now.sum('sluice_worker_pipes_lent');
  return lent('small') * 4096 + lent('large') * 256 * 1024 + pipes * mebibyte;
};

function patternHash(total: number): string {
  const block = Buffer.from(Uint8Array.from({ length: 64 * 1024 }, (_, index) => index % 251));
  const hash = createHash('sha256');
  for (let left = total; left > 0; left -= block.length) hash.update(block.subarray(0, left));
  return hash.digest('hex');
}

forEachEngine((engine) => {
  it('holds little of 100 MiB that a client reads slowly, and loses none of it', async () => {
    const total = 100 * mebibyte;
    const { address } = await startHttpProcess(scene, 'large');
    const http = await startHttp(scene, engine, [address]);
    const socket = connect({ ...(http.target as { port: number; host: string }) });
    scene.after(() => socket.destroy());
    const hash = createHash('sha256');
    let received = -1;
    let head = '';
    socket.on('data', (chunk: Buffer) => {
      let body = chunk;
      if (received < 0) {
        head += chunk.toString('latin1');
        const end = head.indexOf('\r\n\r\n') + 4;
        if (end < 4) return;
        received = 0;
        body = Buffer.from(head.slice(end), 'latin1');
      }
      received += body.length;
      hash.update(body);
    });
    socket.write(get(`/bytes/${total}`));
    await until('the answer comes', () => received >= 0);
    let most = 0;
    for (let nth = 0; nth < 20; nth++) {
      socket.pause();
      await pause(30);
      most = Math.max(most, lentBytes(http));
      socket.resume();
      await pause(2);
    }
    socket.pause();
    await pause(300);
    expect(received).toBeLessThan(total);
    most = Math.max(most, lentBytes(http));
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(2 * mebibyte);
    socket.resume();
    await until('all has come', () => received >= total, 20_000);
    expect(received).toBe(total);
    expect(hash.digest('hex')).toBe(patternHash(total));
    socket.destroy();
    await expectNothingHeld(http);
  });

  it('answers 413 to a body over its limit, and lets one at the limit pass', async () => {
    const origin = await startHttpOrigin(scene, describeCall);
    const limits = { bodyBytes: '1000B' };
    const http = await startHttp(scene, engine, [origin.address], { listener: { limits } });
    const ask = async (framing: string, body: string): Promise<number> => {
      const client = await openHttp(scene, http.target);
      await client.send(`POST / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`);
      await pause(20);
      await client.send(body);
      const { status } = await client.answer();
      client.close();
      return status;
    };
    const chunks = (count: number): string =>
      `${'64\r\n'.concat('x'.repeat(100), '\r\n').repeat(count)}0\r\n\r\n`;
    expect(await ask('Content-Length: 1000', 'x'.repeat(1000))).toBe(200);
    expect(await ask('Transfer-Encoding: chunked', chunks(10))).toBe(200);
    const before = origin.calls.length;
    expect(await ask('Content-Length: 1001', '')).toBe(413);
    expect(origin.calls).toHaveLength(before);
    expect(await ask('Transfer-Encoding: chunked', chunks(11))).toBe(413);
    expect(http.metrics().one('sluice_listener_answers_total', { status: '413' })).toBe(2);
    await expectNothingHeld(http);
  });

  it('holds little of a body that its backend does not take', async () => {
    const origin = await startHttpOrigin(scene, async (call) => {
      call.socket.pause();
      await wait(call, '');
    });
    const http = await startHttp(scene, engine, [origin.address]);
    const client = await openHttp(scene, http.target);
    await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${50 * mebibyte}\r\n\r\n`);
    await client.send(Buffer.alloc(50 * mebibyte));
    await pause(400);
    expect(lentBytes(http)).toBeLessThan(mebibyte / 2);
    expect(client.stream.socket.writableLength).toBeGreaterThan(20 * mebibyte);
    client.reset();
    for (const socket of origin.open) socket.destroy();
    await expectNothingHeld(http);
  });

  it('answers ten thousand requests at once, holding few of them at a time', async () => {
    const origin = await startHttpOrigin(scene, describeCall);
    const routes = [{ pathPrefix: '/known', pool: 'web' }];
    const http = await startHttp(scene, engine, [origin.address], { listener: { routes } });
    const count = 10_000;
    for (const path of ['/unknown', '/known']) {
      const client = await openHttp(scene, http.target);
      await client.send(get(path).repeat(count - 1), get(path, 'Connection: close\r\n'));
      let most = 0;
      const watch = setInterval(() => {
        most = Math.max(most, lentBytes(http));
      }, 5);
      const text = (await client.stream.rest()).toString();
      clearInterval(watch);
      expect(client.stream.how).toBe('end');
      expect(text.match(/HTTP\/1\.1 \d+/g)).toHaveLength(count);
      expect(most).toBeLessThan(mebibyte / 2);
      client.close();
    }
    expect(origin.connections).toBeLessThan(10);
    await expectNothingHeld(http);
  });

  it('stops reading from a client that sends requests and reads no answer', async () => {
    const origin = await startHttpOrigin(scene, describeCall);
    const http = await startHttp(scene, engine, [origin.address]);
    const client = await openHttp(scene, http.target);
    client.stream.socket.pause();
    const flood = Buffer.from(get('/').repeat(400_000));
    client.stream.socket.write(flood);
    let before = -1;
    await until(
      'it stands still',
      async () => {
        const now = client.stream.socket.writableLength;
        await pause(150);
        const still = now === before && now > 0;
        before = now;
        return still;
      },
      20_000,
    );
    expect(lentBytes(http)).toBeLessThan(mebibyte / 2);
    // Others are served meanwhile.
    expect((await askOnce(http.target, get())).status).toBe(200);
    client.reset();
    await expectNothingHeld(http);
  });

  it('holds nothing of exchanges that clients leave, at whatever byte', async () => {
    const answer = Buffer.concat([
      Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'),
      chunked(['hello', 'world', 'x'.repeat(3000)], 'X-T: 1\r\n'),
    ]);
    // After so many bytes of the answer it waits for the client to leave.
    const origin = await startHttpOrigin(scene, async (call) => {
      await call.body();
      const at = Number(call.path.slice(1));
      call.socket.write(answer.subarray(0, at));
      if (at < answer.length) await wait(call, '');
    });
    const http = await startHttp(scene, engine, [origin.address]);
    const leave = async (client: HttpClient, how: number): Promise<void> => {
      if (how % 3 === 0) client.reset();
      else if (how % 3 === 1) client.close();
      else {
        client.end();
        await client.ended(500);
        client.close();
      }
    };
    const request = postChunked(['abcde', 'fg'], `/${answer.length}`);
    for (let at = 0; at < request.length; at += 20) {
      await Promise.all(
        Array.from({ length: Math.min(20, request.length - at) }, async (_, index) => {
          const client = await new HttpClient(http.target).opened();
          await client.send(request.subarray(0, at + index));
          await pause((at + index) % 7);
          await leave(client, at + index);
        }),
      );
    }
    await expectNothingHeld(http);
    const before = origin.calls.length;
    for (let at = 0; at < 150; at += 15) {
      await Promise.all(
        Array.from({ length: 15 }, async (_, index) => {
          const client = await new HttpClient(http.target).opened();
          await client.send(get(`/${at + index}`));
          await pause((at + index) % 7);
          await leave(client, at + index);
        }),
      );
    }
    expect(origin.calls.length).toBeGreaterThan(before + 50);
    await expectNothingHeld(http);
    const whole = await askOnce(http.target, get(`/${answer.length}`));
    expect(whole.body).toHaveLength(3010);
  });
});
