// Backends good and bad. The good ones do their work whatever happens around them; the others are
// slow, die, answer garbage or nothing.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { HttpStream } from '../fixtures/http-stream.ts';
import { deadPort } from '../fixtures/origins.ts';
import { startHttpProcess } from '../fixtures/programs.ts';
import { pause, type Scene } from '../fixtures/scene.ts';
import { startSite } from '../fixtures/site.ts';
import type { Random } from './random.ts';

type Address = string;

export interface Backends {
  readonly good: readonly [Address, ...Address[]];
  readonly bulk: readonly [Address, ...Address[]];
  readonly rough: readonly [Address, ...Address[]];
}

type Answer = (stream: HttpStream, random: Random) => Promise<void>;

const ok = 'HTTP/1.1 200 OK\r\n';

// In small pieces, with waits between them.
const slow: Answer = async ({ socket }, random) => {
  const text = `${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nslow \r\n6\r\nanswer\r\n0\r\n\r\n`;
  for (let at = 0; at < text.length; ) {
    const size = random.between(1, 20);
    socket.write(text.slice(at, at + size));
    at += size;
    await pause(random.between(1, 60));
  }
};

// Breaks off before, in or after an answer, in an orderly way or not.
const dying: Answer = async ({ socket }, random) => {
  const body = 'd'.repeat(random.of([10, 5_000, 300_000]));
  const text = `${ok}Content-Length: ${body.length}\r\n\r\n${body}`;
  const part = random.of([0, 1, 20, text.length - 1, text.length]);
  if (part > 0) await new Promise((resolve) => socket.write(text.slice(0, part), resolve));
  if (part === text.length && random.oneIn(2)) return;
  random.oneIn(2) ? socket.resetAndDestroy() : socket.end();
};

const nonsense = [
  'hello\r\n\r\n',
  'HTTP/1.1 2000 OK\r\n\r\n',
  'HTTP/9.9 200 OK\r\n\r\n',
  `${ok}Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345`,
  `${ok}Content-Length: -1\r\n\r\n`,
  `${ok}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`,
  `${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n`,
  `${ok}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n`,
  `${ok}No colon\r\n\r\n`,
  `${ok}Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad`,
  'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  `${'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(50)}${ok}Content-Length: 0\r\n\r\n`,
  `${ok}X: ${'y'.repeat(100_000)}\r\n\r\n`,
] as const;

const garbage: Answer = async ({ socket }, random) => {
  socket.write(random.oneIn(8) ? random.bytes(random.between(1, 3_000)) : random.of(nonsense));
  if (random.oneIn(3)) socket.end();
};

const silent: Answer = async () => {};

// Answers while the request's body is still on its way, and reads none of it.
const hasty: Answer = async ({ socket }, random) => {
  socket.pause();
  socket.write(`HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nmuch`);
  await pause(random.between(0, 30));
  random.oneIn(2) ? socket.end() : socket.resume();
};

// Every request that comes, however badly it is read, is answered in this way.
function serveBy(answer: Answer, random: Random): (socket: Socket) => void {
  return (socket) => {
    const stream = new HttpStream(socket);
    const serve = async (): Promise<void> => {
      while (!socket.destroyed && stream.how === '') {
        await stream.head();
        await answer(stream, random);
      }
    };
    // What was left of a body is no head; neither is it a reason to go on.
    serve().catch(() => socket.destroy());
  };
}

async function startServer(scene: Scene, serve: (socket: Socket) => void, port = 0) {
  const open = new Set<Socket>();
  const server: Server = createServer({ noDelay: true, allowHalfOpen: false }, (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => {});
    serve(socket);
  });
  server.listen({ host: '127.0.0.1', port, backlog: 1024 });
  await once(server, 'listening');
  let stopped = false;
  const stop = async (): Promise<void> => {
    if (stopped) return;
    stopped = true;
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  scene.after(stop);
  return { port: (server.address() as AddressInfo).port, stop };
}

// Goes away with all its connections, and comes back at the same address, again and again.
async function startMortal(scene: Scene, random: Random): Promise<Address> {
  const serve = serveBy(slow, random);
  let server = await startServer(scene, serve);
  const { port } = server;
  let over = false;
  const live = async (): Promise<void> => {
    while (!over) {
      await pause(random.between(200, 900));
      await server.stop();
      await pause(random.between(50, 300));
      if (!over) server = await startServer(scene, serve, port);
    }
  };
  const ended = live();
  scene.after(async () => {
    over = true;
    await ended;
  });
  return `127.0.0.1:${port}`;
}

export async function startBackends(scene: Scene, random: Random): Promise<Backends> {
  const site = async (): Promise<Address> => (await startSite(scene)).address;
  const bulk = async (): Promise<Address> => (await startHttpProcess(scene, 'bulk')).address;
  const bad = async (answer: Answer): Promise<Address> =>
    `127.0.0.1:${(await startServer(scene, serveBy(answer, random))).port}`;
  return {
    good: [await site(), await site(), await site()],
    bulk: [await bulk(), await bulk()],
    rough: [
      await site(),
      await bad(slow),
      await bad(dying),
      await bad(garbage),
      await bad(silent),
      await bad(hasty),
      await startMortal(scene, random),
      `127.0.0.1:${await deadPort()}`,
    ],
  };
}
