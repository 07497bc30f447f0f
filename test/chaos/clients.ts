// Clients good and bad, each a loop of rounds. Whatever the bad ones do, the good ones get exactly
// what they asked for.
import type { Target } from '../fixtures/clients.ts';
import { HttpClient } from '../fixtures/http-clients.ts';
import { Cut } from '../fixtures/http-stream.ts';
import { pause } from '../fixtures/scene.ts';
import { digest } from '../fixtures/site.ts';
import { WebSocketClient } from '../fixtures/websockets.ts';
import type { Random } from './random.ts';

// What clients know for certain, to be compared with what sluice counted.
export interface Tally {
  readonly rounds: Record<string, number>;
  // Answered requests to the good pool.
  good: number;
  upgrades: number;
  // Of clients that must not fail.
  readonly failures: string[];
}

export interface Site {
  readonly target: Target;
  readonly random: Random;
  readonly tally: Tally;
}

export const hosts = {
  good: 'good.example',
  bulk: 'bulk.example',
  rough: 'rough.example',
} as const;

const get = (host: string, path: string): string => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

function post(host: string, body: Buffer, isChunked: boolean): Buffer {
  const head = `POST /take HTTP/1.1\r\nHost: ${host}\r\n`;
  if (!isChunked) {
    return Buffer.concat([Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n`), body]);
  }
  const parts: Buffer[] = [Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`)];
  for (let at = 0; at < body.length; at += 40_000) {
    const part = body.subarray(at, at + 40_000);
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'));
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

// One round of a client: connects, does something and leaves.
type Round = (client: HttpClient, site: Site) => Promise<void>;

// Reads answers as long as some come.
async function drain(client: HttpClient, most: number): Promise<void> {
  for (let nth = 0; nth < most; nth++) {
    const { head } = await client.answer();
    if (head.one('connection') === 'close') return;
  }
}

async function askGood(client: HttpClient, { random, tally }: Site): Promise<void> {
  const path = `/x${random.below(1000)}`;
  const { status, text } = await client.ask(get(hosts.good, path));
  if (status !== 200 || text !== `GET ${path}\n`) throw new Error(`${status} to ${path}: ${text}`);
  tally.good++;
}

const good: Round = async (client, site) => {
  for (let left = site.random.between(1, 40); left > 0; left--) await askGood(client, site);
};

const upload: Round = async (client, { random, tally }) => {
  for (let left = random.between(1, 3); left > 0; left--) {
    const body = random.bytes(random.of([0, 1, 4_096, 100_000, 1_000_000]));
    const { status, text } = await client.ask(post(hosts.good, body, random.oneIn(2)));
    if (status !== 200 || text !== `POST ${body.length} ${digest(body)}\n`) {
      throw new Error(`${status} to ${body.length} bytes: ${text}`);
    }
    tally.good++;
  }
};

const pipelining: Round = async (client, { random, tally }) => {
  const paths = Array.from({ length: random.between(2, 16) }, (_, nth) => `/p${nth}`);
  await client.send(paths.map((path) => get(hosts.good, path)).join(''));
  for (const path of paths) {
    const { status, text } = await client.answer();
    if (status !== 200 || text !== `GET ${path}\n`)
      throw new Error(`${status} to ${path}: ${text}`);
    tally.good++;
  }
};

const bulk: Round = async (client, { random }) => {
  const size = random.of([100_000, 500_000, 2_000_000]);
  const { status, body } = await client.ask(get(hosts.bulk, `/bytes/${size}`));
  const isSound = body.length === size && body[size - 1] === ((size - 1) % 65_536) % 251;
  if (status !== 200 || !isSound) throw new Error(`${status}, ${body.length} of ${size} bytes`);
};

const rough: Round = async (client, { random }) => {
  for (let left = random.between(1, 10); left > 0; left--) {
    const body = random.bytes(random.of([0, 10, 300_000]));
    const isPost = random.oneIn(3);
    await client.send(isPost ? post(hosts.rough, body, random.oneIn(2)) : get(hosts.rough, '/r'));
    await drain(client, 1);
  }
};

// Gives up at any moment of a request or an answer.
const aborting: Round = async (client, { random }) => {
  const host = random.of([hosts.rough, hosts.bulk]);
  const request = random.of([
    Buffer.from(get(host, '/bytes/3000000')),
    Buffer.from(get(hosts.rough, '/x').repeat(4)),
    post(hosts.rough, random.bytes(400_000), random.oneIn(2)),
  ]);
  await client.send(random.oneIn(2) ? request : request.subarray(0, random.below(request.length)));
  await pause(random.of([0, 1, 5, 30]));
  random.oneIn(2) ? client.reset() : client.close();
};

// A head byte by byte, a body that pauses, an answer read late. Some go beyond the time they have.
const slow: Round = async (client, { random }) => {
  const [wait, least] = random.of([[20, 1] as const, [1_200, 100] as const]);
  const request = random.oneIn(2) ? get(hosts.rough, '/s') : get(hosts.bulk, '/bytes/2000000');
  for (let at = 0; at < request.length && client.stream.how === ''; ) {
    const size = random.between(least, least + 20);
    await client.send(request.slice(at, at + size));
    at += size;
    await pause(random.below(wait));
  }
  client.stream.socket.pause();
  await pause(random.between(0, 1_500));
  client.stream.socket.resume();
  await drain(client, 1);
};

const garbage: Round = async (client, { random }) => {
  const base = Buffer.concat([
    Buffer.from(get(hosts.rough, '/g')),
    post(hosts.rough, random.bytes(100), true),
  ]);
  const noise = Buffer.from(base);
  for (let left = random.between(1, 12); left > 0; left--) {
    noise[random.below(noise.length)] = random.below(256);
  }
  await client.send(random.oneIn(6) ? random.bytes(random.between(1, 30_000)) : noise);
  if (random.oneIn(2)) client.end();
  await drain(client, 3);
};

async function webSocket({ target, random, tally }: Site): Promise<void> {
  const client = await WebSocketClient.open(target, '/ws', hosts.good);
  tally.upgrades++;
  for (let left = random.between(1, 20); left > 0; left--) {
    await client.echo('w'.repeat(random.of([0, 5, 1_000, 70_000])));
    await pause(random.below(50));
  }
  if (random.oneIn(2)) await client.close();
  else random.oneIn(2) ? client.socket.resetAndDestroy() : client.socket.destroy();
}

const strict: Readonly<Record<string, Round>> = { good, upload, pipelining, bulk };
const careless: Readonly<Record<string, Round>> = { rough, aborting, slow, garbage };

// Far more clients of a kind are at it than there are kinds.
const perKind = 6;

// All of them, until `stop`, which resolves when the last has left.
export function startClients(site: Site): { stop(): Promise<void> } {
  const { tally } = site;
  let stopped = false;
  const loop = async (name: string, round: () => Promise<void>, mayFail: boolean) => {
    while (!stopped) {
      try {
        await round();
      } catch (error) {
        // A careless client that read something else than an answer has what it asked for.
        if (!mayFail) tally.failures.push(`${name}: ${String(error).slice(0, 300)}`);
        await pause(5);
      }
      tally.rounds[name] = (tally.rounds[name] ?? 0) + 1;
    }
  };
  const connected = (round: Round) => async (): Promise<void> => {
    const client = new HttpClient(site.target);
    const late = setTimeout(() => client.reset(), 30_000);
    try {
      await client.opened();
      await round(client, site);
    } catch (error) {
      throw error instanceof Cut ? new Error(`cut: ${error.message.slice(0, 200)}`) : error;
    } finally {
      clearTimeout(late);
      client.close();
    }
  };
  const all = Array.from({ length: perKind }, () => [
    ...Object.entries(strict).map(([name, round]) => loop(name, connected(round), false)),
    ...Object.entries(careless).map(([name, round]) => loop(name, connected(round), true)),
    loop('webSocket', () => webSocket(site), false),
  ]);
  return {
    stop: async () => {
      stopped = true;
      await Promise.all(all.flat());
    },
  };
}
