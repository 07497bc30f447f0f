// The admin API's socket. It runs on the event loop of JavaScript, apart from all traffic, which
// it can neither delay nor end.
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { hostOf, isLoopback } from '../config/address.ts';
import { reasonOf, SluiceError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { StatedAddress } from '../model/types.ts';
import type { Dialects } from './dialects.ts';
import { EventStream } from './event-stream.ts';
import type { AdminSource } from './source.ts';
import { Tokens } from './tokens.ts';

export interface AdminOptions {
  readonly listen: StatedAddress;
  // Of which a request needs one; none are needed when there are none.
  readonly tokens?: readonly string[];
  readonly source: AdminSource;
  readonly dialects: Dialects;
  readonly log: Logger;
  // Where the page's files are; those of the package unless stated. Ends with a slash.
  readonly uiFolder?: URL;
}

const connectionsMax = 256;
const headersTimeoutMs = 5_000;
const requestTimeoutMs = 10_000;
// When a start is over, whatever it has to do.
const loadAfterMs = 250;

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

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

export class AdminServer {
  readonly #server: Server;
  readonly #events: EventStream;
  readonly #log: Logger;
  readonly #options: AdminOptions;
  readonly #loading: NodeJS.Timeout;
  // The application, when it is loaded or being loaded.
  #handle: Promise<Handle> | undefined;
  // `host:port` or `unix:/path`, with the port that was taken.
  readonly address: string;

  // Throws ERR_SLUICE_LISTEN.
  static async start(options: AdminOptions): Promise<AdminServer> {
    const { listen: address } = options;
    const server = createServer();
    try {
      await listen(server, address);
    } catch (cause) {
      const details = { address: address.text, listener: 'admin', reason: reasonOf(cause) };
      throw new SluiceError('ERR_SLUICE_LISTEN', details, { cause });
    }
    return new AdminServer(server, options);
  }

  private constructor(server: Server, options: AdminOptions) {
    const { listen: address, source, log } = options;
    this.#server = server;
    this.#log = log;
    this.#events = new EventStream(source);
    const bound = server.address();
    this.address =
      typeof bound === 'object' && bound !== null
        ? address.text.replace(/:\d+$/, `:${bound.port}`)
        : address.text;
    server.maxConnections = connectionsMax;
    server.headersTimeout = headersTimeoutMs;
    server.requestTimeout = requestTimeoutMs;
    server.on('error', (error) => log.error('admin', { error }));
    this.#options = options;
    // Should it fail, whoever asks is told.
    this.#loading = setTimeout(() => void this.#loaded().catch(() => {}), loadAfterMs);
    this.#loading.unref();
    server.on('request', (request, response) => void this.#answer(request, response));
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
    clearTimeout(this.#loading);
    this.#events.close();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  // The application is loaded at the first request, or soon: a start does not wait for it.
  #loaded(): Promise<Handle> {
    this.#handle ??= this.#load(this.#options);
    return this.#handle;
  }
  async #load(options: AdminOptions): Promise<Handle> {
    const { listen: address, tokens = [], source, dialects, log, uiFolder } = options;
    const { createApp } = await import('./app.ts');
    const app = await createApp({
      source,
      events: this.#events,
      dialects,
      tokens: address.kind === 'unix' ? new Tokens([]) : new Tokens(tokens),
      onlySafeHosts: address.kind !== 'unix' && isLoopback(address),
      log,
      uiFolder: uiFolder ?? new URL('../ui/', import.meta.url),
    });
    return app.routing;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const handle = await this.#loaded();
      handle(request, response);
    } catch (error) {
      this.#log.error('admin: request failed', { url: request.url, error });
      response.writeHead(500).end();
    }
  }
}
