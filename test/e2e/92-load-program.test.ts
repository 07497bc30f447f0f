// The load program of the benchmarks in its HTTP mode: every answer is checked, so a balancer that
// spoils one cannot have a figure.
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildLoad, freePorts, type LoadOptions, startLoad } from '../fixtures/load-programs.ts';
import { root, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => buildLoad(root));

const http = (options: Partial<LoadOptions> = {}): LoadOptions => ({
  http: true,
  connections: 4,
  seconds: 0.1,
  ...options,
});

// The clients ask the program's own origins.
async function runAlone(options: LoadOptions) {
  const [port = 0] = await freePorts(1);
  return await startLoad(scene, { host: '127.0.0.1', port }, [port], options).result;
}

// The clients ask a server that answers each request so. `size` and `tag` are what it asks for.
async function askServer(answer: (size: number, tag: string) => string) {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => {
      const [, size, tag = ''] = /^GET \/(\d+)\/(\d+) HTTP\/1\.1\r\n/.exec(data.toString()) ?? [];
      socket.write(answer(Number(size), tag), 'latin1');
    });
  });
  scene.after(() => server.close());
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
  const [spare = 0] = await freePorts(1);
  const load = startLoad(scene, { host: '127.0.0.1', port }, [spare], http({ connections: 1 }));
  return await load.result;
}

// The first bytes of the pattern that all bodies are cut from: (i + 1) * 0x9e3779b97f4a7c15.
function pattern(bytes: number): string {
  const words = Buffer.alloc(Math.ceil(bytes / 8) * 8);
  for (let i = 0; i < words.length / 8; i++) {
    words.writeBigUInt64LE(BigInt.asUintN(64, BigInt(i + 1) * 0x9e3779b97f4a7c15n), i * 8);
  }
  return words.subarray(0, bytes).toString('latin1');
}

const answerWith = (
  tag: string,
  body: string,
  { status = 200, fields = [`Content-Length: ${body.length}`] } = {},
): string => `HTTP/1.1 ${status} X\r\nx-tag: ${tag}\r\n${fields.join('\r\n')}\r\n\r\n${body}`;

describe('clients and origins of HTTP', () => {
  it.each(['roundtrip', 'open', 'bulk', 'connect'] as const)(
    'understand each other: %s',
    async (mode) => {
      const { work, errors, first_error } = await runAlone(http({ mode }));
      expect({ errors, first_error }).toEqual({ errors: 0, first_error: '' });
      expect(work).toBeGreaterThan(0);
    },
  );

  it('hold idle connections after one request each', async () => {
    const [port = 0] = await freePorts(1);
    const target = { host: '127.0.0.1', port };
    const options = http({ mode: 'idle', connections: 50, seconds: 10 });
    const { program, result } = startLoad(scene, target, [port], options);
    expect(await program.line(/"ready"/)).toBe('{"ready":50}');
    program.tell('end');
    expect(await result).toMatchObject({ work: 50, errors: 0 });
  });

  it('serve the clients of another program, and count what they were answered', async () => {
    const [port = 0] = await freePorts(1);
    const target = { host: '127.0.0.1', port };
    const { program, result } = startLoad(scene, target, [port], http({ mode: 'serve' }));
    await program.line(/"ready"/);
    let asked = 0;
    for (const end = performance.now() + 1000; performance.now() < end; asked++) {
      const response = await fetch(`http://127.0.0.1:${port}/100/${asked}`);
      expect(response.headers.get('x-tag')).toBe(String(asked));
      expect((await response.arrayBuffer()).byteLength).toBe(100);
    }
    program.tell('end');
    const { work, errors } = await result;
    expect(errors).toBe(0);
    expect(work).toBeGreaterThan(0);
    expect(work).toBeLessThan(asked); // those of the warm-up do not count
  });

  it('meet at Unix sockets, behind a relay', async () => {
    const path = join(scene.folder(), 'origin.sock');
    const relay = createServer((socket) => {
      const behind = connect(path);
      for (const end of [socket, behind]) end.on('error', () => {});
      socket.pipe(behind).pipe(socket);
    });
    scene.after(() => relay.close());
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
    const target = { host: '127.0.0.1', port: (relay.address() as { port: number }).port };
    const { work, errors } = await startLoad(scene, target, [path], http()).result;
    expect(errors).toBe(0);
    expect(work).toBeGreaterThan(0);
  });

  it('count requests that lost their forwarding headers, when asked to', async () => {
    const { work, first_error } = await runAlone(http({ forwarded: true }));
    expect(work).toBe(0);
    expect(first_error).toBe('a request without X-Forwarded-For, -Proto and -Host');
  });
});

describe('an answer', () => {
  it('is good when status, length, tag and body are', async () => {
    const result = await askServer((size, tag) => answerWith(tag, pattern(size)));
    expect(result).toMatchObject({ errors: 0, first_error: '' });
    expect(result.work).toBeGreaterThan(0);
  });

  it.each([
    [
      'of another status',
      (size, tag) => answerWith(tag, pattern(size), { status: 503 }),
      /status 503/,
    ],
    [
      'without a length',
      (size, tag) => answerWith(tag, pattern(size), { fields: [] }),
      /without Content-Length/,
    ],
    [
      'with two lengths',
      (size, tag) =>
        answerWith(tag, pattern(size), {
          fields: [`Content-Length: ${size}`, `Content-Length: ${size}`],
        }),
      /not one Content-Length/,
    ],
    [
      'in chunks',
      (_, tag) => answerWith(tag, '0\r\n\r\n', { fields: ['Transfer-Encoding: chunked'] }),
      /Transfer-Encoding/,
    ],
    ['of another length', (size, tag) => answerWith(tag, pattern(size - 1)), /another length/],
    ['to another request', (size, tag) => answerWith(`${tag}1`, pattern(size)), /another request/],
    ['with a spoilt body', (size, tag) => answerWith(tag, 'x'.repeat(size)), /malformed message/],
    ['and then more', (size, tag) => `${answerWith(tag, pattern(size))}x`, /another request/],
    ['that is no HTTP', () => 'hello\r\n\r\n', /an answer of status/],
  ] satisfies [string, (size: number, tag: string) => string, RegExp][])(
    'is a failure %s',
    async (_, answer, complaint) => {
      const { work, errors, first_error } = await askServer(answer);
      expect(first_error).toMatch(complaint);
      expect(errors).toBeGreaterThan(0);
      expect(work).toBe(0);
    },
  );
});
