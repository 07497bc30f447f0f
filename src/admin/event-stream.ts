// Server-sent events: what happened in the balancer, kept for a while for those who come back, and
// figures each second for those who ask. One timer each for all clients, none without clients.
import type { ServerResponse } from 'node:http';
import { Histogram } from '../shm/histogram.ts';
import { requestDurations, statsAnswer } from './answers.ts';
import type { EventMessage } from './api-types.ts';
import type { AdminSource } from './source.ts';

// Events that are kept.
const keptMax = 1024;
const heartbeatMs = 15_000;
const statsMs = 1000;
// A client that has read nothing for so long, or leaves so much unread, is slow or asleep: it may
// come back. Less in a shorter time is a burst: a change of many backends is as many events.
const stalledMs = 5000;
const unreadBytesMax = 16 * 1024 * 1024;

interface Client {
  readonly response: ServerResponse;
  readonly stats: boolean;
  // Since when the system takes no more for it; undefined: it does.
  stalledSince: number | undefined;
}

export interface Subscription {
  // Of the last event that the client has; 0: none, all that are kept are sent.
  readonly since?: number | undefined;
  readonly stats?: boolean;
}

export class EventStream {
  readonly #source: AdminSource;
  readonly #unlisten: () => void;
  readonly #kept: EventMessage[] = [];
  readonly #clients = new Set<Client>();
  // Microseconds since the epoch at first, so that ids go on counting up after a restart.
  #lastId = Date.now() * 1000;
  #heartbeat: NodeJS.Timeout | undefined;
  #figures: NodeJS.Timeout | undefined;
  #durations = new Histogram();

  constructor(source: AdminSource) {
    this.#source = source;
    this.#unlisten = source.listen((name, detail) => this.#record(name, detail));
  }

  get clients(): number {
    return this.#clients.size;
  }

  // Takes the response over until its client leaves.
  subscribe(response: ServerResponse, { since, stats = false }: Subscription = {}): void {
    const client: Client = { response, stats, stalledSince: undefined };
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    if (response.req.method === 'HEAD') {
      response.end();
      return;
    }
    response.write('retry: 2000\n\n');
    this.#clients.add(client);
    response.once('close', () => this.#leave(client));
    response.on('drain', () => {
      client.stalledSince = undefined;
    });
    response.on('error', () => this.#leave(client));
    if (since !== undefined) this.#replay(client, since);
    this.#heartbeat ??= setInterval(() => this.#sendAll(': alive\n\n'), heartbeatMs).unref();
    if (!stats) return;
    if (this.#figures === undefined) {
      this.#durations = requestDurations(this.#source.view());
      this.#figures = setInterval(() => this.#sendFigures(), statsMs).unref();
    }
  }

  close(): void {
    this.#unlisten();
    for (const client of [...this.#clients]) {
      client.response.end();
      this.#leave(client);
    }
  }

  #record(name: string, detail: Readonly<Record<string, unknown>>): void {
    this.#lastId += 1;
    const message: EventMessage = {
      id: this.#lastId,
      at: new Date().toISOString(),
      name,
      detail,
    };
    this.#kept.push(message);
    if (this.#kept.length > keptMax) this.#kept.shift();
    this.#sendAll(textOf(message));
  }

  #replay(client: Client, since: number): void {
    const [first] = this.#kept;
    // Ids count up by one: what lies between is no longer kept.
    const before = first === undefined ? this.#lastId : first.id - 1;
    if (since > 0 && since < before) {
      const at = new Date().toISOString();
      const detail = { after: since };
      this.#send(client, textOf({ id: before, at, name: 'events:missed', detail }));
    }
    for (const message of this.#kept) {
      if (message.id > since) this.#send(client, textOf(message));
    }
  }

  #sendFigures(): void {
    try {
      const now = requestDurations(this.#source.view());
      const passed = new Histogram();
      now.counts.forEach((count, bucket) => {
        const more = count - (this.#durations.counts[bucket] ?? 0);
        if (more > 0) passed.add(bucket, more);
      });
      this.#durations = now;
      const data = JSON.stringify(statsAnswer(this.#source.view(), passed));
      for (const client of [...this.#clients]) {
        if (client.stats) this.#send(client, `event: stats\ndata: ${data}\n\n`);
      }
    } catch {
      // The balancer closes: there are no figures any more.
    }
  }

  #sendAll(text: string): void {
    for (const client of [...this.#clients]) this.#send(client, text);
  }
  #send(client: Client, text: string): void {
    const { response, stalledSince } = client;
    const now = performance.now();
    const isSlow = stalledSince !== undefined && now - stalledSince > stalledMs;
    if (isSlow || response.writableLength > unreadBytesMax) response.destroy();
    else if (!response.write(text)) client.stalledSince ??= now;
  }

  #leave(client: Client): void {
    this.#clients.delete(client);
    if (![...this.#clients].some(({ stats }) => stats)) {
      clearInterval(this.#figures);
      this.#figures = undefined;
    }
    if (this.#clients.size > 0) return;
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
  }
}

const textOf = (message: EventMessage): string =>
  `id: ${message.id}\ndata: ${JSON.stringify(message)}\n\n`;
