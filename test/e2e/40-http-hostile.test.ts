// Requests that mean harm: what sluice answers, what reaches the backend, and what the same bytes
// bring about in HAProxy and nginx. Being more lenient than both is a failure.
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { assertServedBy } from '../fixtures/balancers.ts';
import type { Target } from '../fixtures/clients.ts';
import type { Hostile } from '../fixtures/hostile.ts';
import { chunks } from '../fixtures/hostile-chunks.ts';
import { framing } from '../fixtures/hostile-framing.ts';
import { heads } from '../fixtures/hostile-heads.ts';
import { askAllWorkers, expectNothingHeld, startHttp } from '../fixtures/http-balancers.ts';
import { HttpClient } from '../fixtures/http-clients.ts';
import { type HttpOrigin, message, type Serve, startHttpOrigin } from '../fixtures/http-origins.ts';
import { type Peer, startPeer } from '../fixtures/http-peers.ts';
import { forEachEngine, pause, type Scene, useScene } from '../fixtures/scene.ts';

const scene = useScene();
const cases: readonly Hostile[] = [...framing, ...chunks, ...heads];
const numbered = (text: string, at: number): string =>
  text.replaceAll('NNN', String(at).padStart(3, '0'));

interface Outcome {
  readonly name: string;
  readonly answers: readonly number[];
  // Letters of the requests that reached the backend whole, and the body of the first.
  readonly reaches: string;
  readonly body: string | undefined;
}

interface Reached {
  readonly path: string;
  readonly body: string;
  readonly head: string;
}

// `anything`: also takes what others let through that is no HTTP.
async function startRecorder(
  into: Scene,
  anything = false,
): Promise<{ origin: HttpOrigin; reached: Reached[] }> {
  const reached: Reached[] = [];
  const serve: Serve = async (call) => {
    const body = (await call.body()).toString('latin1');
    reached.push({ path: call.path, body, head: call.head.text });
    await call.send(message('x'));
  };
  const origin = await startHttpOrigin(into, serve, { anything });
  return { origin, reached };
}

// All that comes back until the connection ends, or nothing has come for a while.
async function answersTo(target: Target, pieces: readonly string[]): Promise<number[]> {
  const client = await new HttpClient(target).opened();
  for (const [index, piece] of pieces.entries()) {
    if (index > 0) await pause(8);
    await client.send(Buffer.from(piece, 'latin1'));
  }
  for (let seen = -1, still = 0; client.stream.how === '' && still < 80; still++) {
    if (client.stream.raw.length !== seen) still = 0;
    seen = client.stream.raw.length;
    await pause(25);
  }
  const text = client.stream.raw.toString('latin1');
  client.close();
  return [...text.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map(([, status]) => Number(status));
}

type Cutter = (bytes: string, at: number) => readonly string[];

const whole: Cutter = (bytes) => [bytes];
// Three pieces, at other places in every case.
const inPieces: Cutter = (bytes, at) => {
  const first = (at * 37) % bytes.length;
  const second = Math.min(bytes.length, first + 1 + ((at * 11) % 40));
  return [bytes.slice(0, first), bytes.slice(first, second), bytes.slice(second)];
};

async function sendAll(
  target: Target,
  reached: readonly Reached[],
  cut: Cutter = whole,
): Promise<Outcome[]> {
  const all: (readonly number[])[] = [];
  for (let first = 0; first < cases.length; first += 24) {
    const some = cases.slice(first, first + 24);
    const send = ({ bytes }: Hostile, index: number) =>
      answersTo(target, cut(numbered(bytes, first + index), first + index));
    all.push(...(await Promise.all(some.map(send))));
  }
  return cases.map(({ name }, at) => {
    const own = numbered('NNN', at);
    const mine = reached.filter(({ path }) => path.includes(`${own}`));
    const letters = mine.map(({ path }) => path[path.indexOf(own) - 1] ?? '?');
    const { body } = mine.find(({ path }) => path.includes(`h${own}`)) ?? {};
    return { name, answers: all[at] ?? [], reaches: letters.join(''), body };
  });
}

const expected = ({ name, answers, reaches, body }: Hostile): Outcome => ({
  name,
  answers,
  reaches,
  body: reaches.includes('h') ? (body ?? '') : undefined,
});

describe('the table', () => {
  it('has cases enough, each once, with its reason', () => {
    expect(cases.length).toBeGreaterThanOrEqual(120);
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
    expect(cases.every(({ see }) => /RFC \d+|CVE-\d{4}-\d+|HTTP\/0\.9|h2c/.test(see))).toBe(true);
  });
});

forEachEngine((engine) => {
  it.each([
    ['whole', whole],
    ['in pieces', inPieces],
  ] as const)(
    'answers each as the table says, sent %s, and lets nothing else through',
    async (_, cut) => {
      const { origin, reached } = await startRecorder(scene);
      const timeouts = { requestHead: '500ms', body: '500ms' };
      const http = await startHttp(scene, engine, [origin.address], { listener: { timeouts } });
      await askAllWorkers(http);
      const outcomes = await sendAll(http.target, reached, cut);
      const numberedCases = cases.map((one, at) => {
        const { body, ...rest } = expected(one);
        return { ...rest, body: body === undefined ? undefined : numbered(body, at) };
      });
      expect(outcomes).toEqual(numberedCases);
      // What reached the backend leaves nothing to interpretation.
      for (const { head } of reached) {
        expect(head).toMatch(/^[A-Za-z]+ \S+ HTTP\/1\.1\r\n/);
        expect(head.match(/^host:/gim)).toHaveLength(1);
        expect(head.match(/^(content-length|transfer-encoding):/gim)?.length ?? 0).toBeLessThan(2);
        expect(head).not.toMatch(/h2c|http2-settings|_|^connection: (?!upgrade)/im);
        expect(head.match(/^x-forwarded-for: 127\.0\.0\.1\r$/gim)).toHaveLength(1);
      }
      assertServedBy(http.metrics(), engine);
      await expectNothingHeld(http);
    },
  );
});

const peers: readonly Peer[] = ['haproxy', 'nginx'];

describe('in comparison', () => {
  it('no request is let through that HAProxy and nginx both refuse', async () => {
    for (const peer of peers) {
      const { error } = spawnSync(peer, ['-v']);
      if (error !== undefined) throw new Error(`${peer} is missing: apt-get install ${peer}`);
    }
    const letThrough = await Promise.all(
      peers.map(async (peer) => {
        const { origin, reached } = await startRecorder(scene, true);
        return sendAll(await startPeer(scene, peer, origin.address), reached);
      }),
    );
    const lenient = cases.filter(({ reaches }, at) =>
      ['h', 'e'].some(
        (letter) =>
          reaches.includes(letter) &&
          letThrough.every((outcomes) => !outcomes[at]?.reaches.includes(letter)),
      ),
    );
    expect(lenient.map(({ name }) => name)).toEqual([]);
    // The comparison compares: both let through what is harmless, and something of the rest.
    for (const outcomes of letThrough) {
      const through = outcomes.filter(({ reaches }) => reaches.includes('h')).length;
      expect(through).toBeGreaterThan(15);
    }
  }, 120_000);
});
