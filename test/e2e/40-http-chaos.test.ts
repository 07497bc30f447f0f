// Clients and backends that do at every moment any of the things connections can do, while the
// configuration changes: nothing crashes, nobody gets another one's answer, nothing is left.
import { expect, it } from 'vitest';
import type { Target } from '../fixtures/clients.ts';
import { expectNothingHeld, httpConfig, startHttp } from '../fixtures/http-balancers.ts';
import { chunked, get, HttpClient, post, postChunked } from '../fixtures/http-clients.ts';
import {
  type Bytes,
  type Call,
  message,
  type Serve,
  startHttpOrigin,
} from '../fixtures/http-origins.ts';
import { Cut } from '../fixtures/http-stream.ts';
import { forEachEngine, pause, useScene } from '../fixtures/scene.ts';

const scene = useScene();
const rounds = Number(process.env['SLUICE_CHAOS_ROUNDS'] ?? 20);
const seed = Number(process.env['SLUICE_CHAOS_SEED'] ?? Date.now() % 1_000_000);

type Random = (below: number) => number;

function randomFrom(start: number): Random {
  let state = start >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const switching =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';
const wants = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';

// The answer to a path is its own: whoever is given another one's knows.
const bodyOf = (path: string, random: Random): string => `${path}|${'.'.repeat(random(12_000))}|`;

function answerTo(call: Call, random: Random): Buffer {
  const body = bodyOf(call.path, random);
  const upgrade = call.head.one('upgrade') !== undefined;
  if (upgrade && random(2) === 0) return Buffer.from(`${switching}${body}`);
  const kinds = [
    () => message(body),
    () =>
      Buffer.concat([
        Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'),
        chunked([body.slice(0, 5), body.slice(5)], random(2) === 0 ? 'X-T: 1\r\n' : ''),
      ]),
    () => Buffer.concat([Buffer.from(hints.repeat(random(3))), message(body)]),
    () => Buffer.from(`${switching}${body}`),
    () => Buffer.from('nonsense\r\n\r\n'),
  ];
  const weights = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 4];
  return kinds[weights[random(weights.length)] ?? 0]?.() ?? message(body);
}

const serveWith =
  (random: Random): Serve =>
  async (call) => {
    const isHead = call.method === 'HEAD';
    if (random(4) > 0) await call.body();
    if (random(4) === 0) await pause(random(10));
    const whole = isHead ? message('') : answerTo(call, random);
    const at = random(3) === 0 ? random(whole.length) : whole.length;
    call.socket.write(whole.subarray(0, at));
    if (random(3) === 0) await pause(random(6));
    const end = random(12);
    if (end === 0) return call.reset();
    if (end === 1) return call.close();
    call.socket.write(whole.subarray(at));
    if (end === 2) return call.close();
    if (end === 3) return call.reset();
    if (end === 4) call.socket.write('more than asked for');
    await call.body();
  };

function requestsOf(name: string, random: Random): Buffer {
  const one = (nth: number): Bytes => {
    const path = `/${name}-${nth}`;
    const kinds: (() => Bytes)[] = [
      () => get(path),
      () => get(path, wants),
      () => post('x'.repeat(random(9_000)), path),
      () => post('x'.repeat(random(200_000)), path, random(2) === 0 ? wants : ''),
      () => postChunked(['ab', 'x'.repeat(random(5_000) + 1)], path),
      () => get(path, 'Connection: close\r\n'),
      () => `GET ${path} HTTP/1.0\r\n\r\n`,
      () => `GET ${path} HTTP/1.1\r\nBad Field: x\r\n\r\n`,
    ];
    return kinds[random(kinds.length)]?.() ?? '';
  };
  return Buffer.concat(Array.from({ length: 1 + random(4) }, (_, nth) => Buffer.from(one(nth))));
}

// Resolves with what it was given of other clients' answers.
async function visit(target: Target, name: string, random: Random): Promise<string[]> {
  const client = await new HttpClient(target).opened();
  const bytes = requestsOf(name, random);
  const first = random(2) === 0 ? bytes.length : random(bytes.length);
  await client.send(bytes.subarray(0, first));
  if (random(2) === 0) await pause(random(8));
  await client.send(bytes.subarray(first));
  const how = random(8);
  if (how === 0) client.reset();
  else if (how === 1) client.close();
  else if (how === 2) client.end();
  else if (how === 3) client.stream.socket.pause();
  try {
    while (how > 3) {
      const { status } = await client.answer();
      if (status === 101) break;
    }
    await pause(random(10));
  } catch (error) {
    if (!(error instanceof Cut)) throw error;
  }
  const paths = client.stream.raw.toString('latin1').matchAll(/\/(\w+)-\d+\|/g);
  client.close();
  return [...paths].map(([, other = '']) => other).filter((other) => other !== name);
}

forEachEngine((engine) => {
  it(`bears anything at any time (seed ${seed})`, async () => {
    const random = randomFrom(seed);
    const serve = serveWith(random);
    const origins = await Promise.all(
      ['a', 'b', 'c'].map((name) => startHttpOrigin(scene, serve, { name, anything: true })),
    );
    const addresses = origins.map(({ address }) => address);
    const timeouts = {
      requestHead: '300ms',
      clientIdle: '200ms',
      body: '300ms',
      tunnelIdle: '200ms',
    };
    const parts = (nth: number) => ({
      listener: { timeouts, via: nth % 2 === 0, serverClose: nth % 5 === 0 },
      pool: {
        timeouts: { responseHead: '250ms', body: '250ms' },
        keepAlive: {
          idleTimeout: `${5 + random(100)}ms`,
          maxIdle: random(4),
          maxRequests: random(9),
        },
      },
    });
    const http = await startHttp(scene, engine, addresses, parts(0));
    const strangers: string[] = [];
    for (let round = 0; round < rounds; round++) {
      const visits = Array.from({ length: 24 }, (_, who) =>
        visit(http.target, `r${round}w${who}`, random),
      );
      if (round % 4 === 1) {
        const some = addresses.filter((_, index) => index !== random(4));
        await http.lb.apply(httpConfig(engine, some, parts(round)));
      }
      for (const found of await Promise.all(visits)) strangers.push(...found);
    }
    expect(strangers).toEqual([]);
    await expectNothingHeld(http);
    const metrics = http.metrics();
    expect(metrics.one('sluice_listener_requests_total')).toBeGreaterThan(rounds * 12);
    expect(metrics.one('sluice_listener_upgrades_total')).toBeGreaterThan(0);
  }, 600_000);
});
