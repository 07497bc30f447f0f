// The admin API's HTTP server. It runs on the event loop of JavaScript, apart from all traffic, and
// reads only: it may be asked at any rate without touching a connection.
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { reasonOf, SluiceError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { StatedAddress } from '../model/types.ts';
import { isLoopback, isSafeHost } from './host.ts';
import { type Answer, problem, problemOf } from './problem.ts';
import { type AdminSource, answer } from './routes.ts';

export interface AdminOptions {
  readonly listen: StatedAddress;
  readonly source: AdminSource;
  readonly log: Logger;
}

const connectionsMax = 256;
const headersTimeoutMs = 5_000;
const requestTimeoutMs = 10_000;

function hostOf(address: StatedAddress): string {
  if (address.kind === 'name') return address.host;
  if (address.kind === 'unix') return '';
  // `[::1%lo]:80` without brackets and port.
  return address.text.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
}

function send(request: IncomingMessage, response: ServerResponse, what: Answer): void {
  const body = Buffer.from(what.body);
  response.writeHead(what.status, {
    'content-type': what.type,
    'content-length': body.byteLength,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...what.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

// Whether a process listens on the socket file.
async function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EAGAIN'));
  });
}

// A socket file outlives the process that made it; only one that nobody answers is removed.
async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.isSocket() === true && !(await isAnswered(path))) unlinkSync(path);
}

async function listen(server: Server, address: StatedAddress): Promise<void> {
  if (address.kind === 'unix') await removeStale(address.path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    if (address.kind === 'unix') {
      server.listen(address.path);
      // Bound by now, and nobody has been accepted: others than the owner stay out.
      if (lstatSync(address.path, { throwIfNoEntry: false })?.isSocket() === true) {
        chmodSync(address.path, 0o600);
      }
    } else server.listen({ host: hostOf(address), port: address.port, exclusive: true });
  });
}

export class AdminServer {
  readonly #server: Server;
  readonly #source: AdminSource;
  readonly #log: Logger;
  readonly #onlySafeHosts: boolean;
  // `host:port` or `unix:/path`, with the port that was taken.
  readonly address: string;

  // Throws ERR_SLUICE_LISTEN.
  static async start({ listen: address, source, log }: AdminOptions): Promise<AdminServer> {
    const server = createServer();
    try {
      await listen(server, address);
    } catch (cause) {
      const details = { address: address.text, listener: 'admin', reason: reasonOf(cause) };
      throw new SluiceError('ERR_SLUICE_LISTEN', details, { cause });
    }
    return new AdminServer(server, address, source, log);
  }

  private constructor(server: Server, address: StatedAddress, source: AdminSource, log: Logger) {
    this.#server = server;
    this.#source = source;
    this.#log = log;
    this.#onlySafeHosts = address.kind !== 'unix' && isLoopback(hostOf(address));
    const bound = server.address();
    this.address =
      typeof bound === 'object' && bound !== null
        ? address.text.replace(/:\d+$/, `:${bound.port}`)
        : address.text;
    server.maxConnections = connectionsMax;
    server.headersTimeout = headersTimeoutMs;
    server.requestTimeout = requestTimeoutMs;
    server.on('error', (error) => log.error('admin', { error }));
    server.on('request', (request, response) => this.#handle(request, response));
  }

  // Whether the server keeps the process alive.
  ref(): void {
    this.#server.ref();
  }
  unref(): void {
    this.#server.unref();
  }

  // Open connections are ended: nothing that they could still ask for exists then.
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    send(request, response, this.#answer(request));
  }

  #answer({ method = '', url = '', headers }: IncomingMessage): Answer {
    if (this.#onlySafeHosts && !isSafeHost(headers.host)) {
      return problem(403, 'the host of the request is not one of this machine');
    }
    try {
      return answer(method, url, this.#source);
    } catch (error) {
      const failed = problemOf(error);
      if (failed.status === 500) this.#log.error('admin: request failed', { url, error });
      return failed;
    }
  }
}
