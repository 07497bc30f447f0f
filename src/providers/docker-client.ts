// A client of the Docker Engine API: the five requests that discovery needs, by node's own HTTP.
import { once } from 'node:events';
import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Endpoint } from '../config/endpoint.ts';
import { readTls } from './docker-endpoint.ts';

// What of an event matters here.
export interface EngineEvent {
  readonly type: string;
  readonly action: string;
  // Of the container concerned.
  readonly container: string;
  readonly attributes: Readonly<Record<string, string>>;
  // Seconds since the epoch by the engine's clock, with nine digits behind the point.
  readonly at: string;
}

export class EngineError extends Error {
  // HTTP status.
  readonly status: number;

  constructor(path: string, status: number, text: string) {
    super(`the engine answers ${status} to ${path}: ${text}`);
    this.name = 'EngineError';
    this.status = status;
  }
}

// The versions whose answers this file was written for. An engine that no longer speaks any of them
// is asked in its oldest: what is used here has not changed in ten years.
export const versionsKnown = { first: '1.24', last: '1.52' } as const;

const ordinal = (version: string): number => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major * 1000 + minor;
};

// The version to speak with an engine; undefined when it is too old. Engines before 1.25 do not say
// which version they still speak.
export function negotiated(newest: string, oldest: string | undefined): string | undefined {
  if (!/^\d+\.\d+$/.test(newest) || ordinal(newest) < ordinal(versionsKnown.first))
    return undefined;
  if (ordinal(newest) <= ordinal(versionsKnown.last)) return newest;
  const least = oldest ?? versionsKnown.first;
  return ordinal(least) > ordinal(versionsKnown.last) ? least : versionsKnown.last;
}

const answerBytesMax = 64 * 1024 * 1024;
const eventBytesMax = 1024 * 1024;
const keepAliveMs = 30_000;

export interface Connection {
  readonly apiVersion: string;
  readonly engineVersion: string;
  // How far the engine's clock is ahead of this one, in milliseconds, to about a second.
  readonly clockAheadMs: number;
}

export class DockerClient {
  readonly endpoint: Endpoint;
  readonly #timeoutMs: number;
  readonly #agent: HttpAgent;
  readonly #options: RequestOptions;
  #prefix = '';

  // Throws when the files of TLS cannot be read.
  constructor(endpoint: Endpoint, timeoutMs = 10_000) {
    this.endpoint = endpoint;
    this.#timeoutMs = timeoutMs;
    const { where, tls } = endpoint;
    const pooled = { keepAlive: true, maxSockets: 8 };
    this.#agent =
      tls === undefined ? new HttpAgent(pooled) : new HttpsAgent({ ...pooled, ...readTls(tls) });
    this.#options =
      where.kind === 'socket'
        ? { socketPath: where.path, host: 'docker' }
        : { host: where.host, port: where.port };
  }

  // Asks which version to speak. The other requests come after it.
  async connect(signal: AbortSignal): Promise<Connection> {
    const { body, date } = await this.#get('/version', signal);
    const said = body as Readonly<Record<string, unknown>>;
    const newest = String(said['ApiVersion'] ?? '');
    const oldest = said['MinAPIVersion'];
    const apiVersion = negotiated(newest, typeof oldest === 'string' ? oldest : undefined);
    if (apiVersion === undefined) {
      throw new Error(
        `the engine speaks API version '${newest}': at least ${versionsKnown.first} is needed`,
      );
    }
    this.#prefix = `/v${apiVersion}`;
    const clockAheadMs = Number.isNaN(date) ? 0 : date - Date.now();
    return { apiVersion, engineVersion: String(said['Version'] ?? ''), clockAheadMs };
  }

  // Those that run, are paused or restart.
  async containers(signal: AbortSignal): Promise<readonly unknown[]> {
    const { body } = await this.#get(`${this.#prefix}/containers/json`, signal);
    if (!Array.isArray(body)) throw new Error('the engine answers no list of containers');
    return body;
  }

  // undefined: it is gone.
  async inspect(id: string, signal: AbortSignal): Promise<unknown> {
    try {
      return (await this.#get(`${this.#prefix}/containers/${id}/json`, signal)).body;
    } catch (error) {
      if (error instanceof EngineError && error.status === 404) return undefined;
      throw error;
    }
  }

  // Resolves when the engine has accepted the subscription. What happened from `since` on comes
  // first. The events end by an error.
  async events(since: string, signal: AbortSignal): Promise<AsyncGenerator<EngineEvent>> {
    const filters = JSON.stringify({ type: ['container', 'network'] });
    const query = new URLSearchParams({ filters, since });
    const path = `${this.#prefix}/events?${query}`;
    // A connection of its own, which stays.
    const response = await this.#request(path, signal, false);
    response.socket.setKeepAlive(true, keepAliveMs);
    response.socket.unref();
    return eventsOf(response);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #get(path: string, signal: AbortSignal): Promise<{ body: unknown; date: number }> {
    const response = await this.#request(path, signal, true);
    const text = await textOf(response, this.#timeoutMs);
    return { body: JSON.parse(text), date: Date.parse(response.headers.date ?? '') };
  }

  async #request(path: string, signal: AbortSignal, pooled: boolean): Promise<IncomingMessage> {
    const { tls } = this.endpoint;
    const agent = pooled
      ? this.#agent
      : tls === undefined
        ? new HttpAgent()
        : new HttpsAgent(readTls(tls));
    const options = { ...this.#options, path, agent, signal };
    const request = tls === undefined ? httpRequest(options) : httpsRequest(options);
    const response = await answerTo(request, this.#timeoutMs, path);
    const status = response.statusCode ?? 0;
    if (status === 200) return response;
    const text = await textOf(response, this.#timeoutMs);
    throw new EngineError(path.replace(/\?.*/, ''), status, messageOf(text));
  }
}

async function answerTo(
  request: ClientRequest,
  timeoutMs: number,
  path: string,
): Promise<IncomingMessage> {
  const late = new Error(`no answer to ${path.replace(/\?.*/, '')} within ${timeoutMs} ms`);
  const timer = setTimeout(() => request.destroy(late), timeoutMs);
  // Whoever waits for nothing else shall not wait for this.
  request.once('socket', (socket) => socket.unref());
  timer.unref();
  request.end();
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return response;
  } finally {
    clearTimeout(timer);
    // After the answer's head, errors are the answer's.
    request.on('error', () => {});
  }
}

async function textOf(response: IncomingMessage, timeoutMs: number): Promise<string> {
  const late = new Error(`the engine's answer was not complete within ${timeoutMs} ms`);
  const timer = setTimeout(() => response.destroy(late), timeoutMs);
  timer.unref();
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of response as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > answerBytesMax) throw new Error("the engine's answer is too large");
      parts.push(part);
    }
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(parts).toString('utf8');
}

function messageOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    if (typeof message === 'string') return message;
  } catch {
    // Not the engine's own words, but a proxy's.
  }
  return text.trim().slice(0, 200);
}

export function eventOf(line: string): EngineEvent | undefined {
  const event = JSON.parse(line) as Readonly<Record<string, unknown>>;
  const actor = (event['Actor'] ?? {}) as Readonly<Record<string, unknown>>;
  const attributes = (actor['Attributes'] ?? {}) as Readonly<Record<string, string>>;
  const type = String(event['Type'] ?? '');
  const container = type === 'network' ? attributes['container'] : actor['ID'];
  if (typeof container !== 'string' || container === '') return undefined;
  const nanoseconds = BigInt(Math.trunc(Number(event['time'] ?? 0))) * 1_000_000_000n;
  // Numbers this large lose digits in JSON.parse: the text has them all.
  const exact = /"timeNano":\s*(\d{10,})/.exec(line)?.[1];
  const at = exact === undefined ? nanoseconds : BigInt(exact);
  return {
    type,
    action: String(event['Action'] ?? ''),
    container,
    attributes,
    at: `${at / 1_000_000_000n}.${String(at % 1_000_000_000n).padStart(9, '0')}`,
  };
}

async function* eventsOf(response: IncomingMessage): AsyncGenerator<EngineEvent> {
  let rest = '';
  response.setEncoding('utf8');
  for await (const part of response as AsyncIterable<string>) {
    const lines = (rest + part).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > eventBytesMax) throw new Error('an event of the engine is too large');
    for (const line of lines) {
      const event = line.trim() === '' ? undefined : eventOf(line);
      if (event !== undefined) yield event;
    }
  }
  throw new Error('the engine ended the stream of events');
}
