// The only file that asks the balancer. A token goes with every request as a header: a cookie would
// let other sites write in the name of who is looking.
import type { Problem } from '../admin/api-types.ts';
import type { EventParser, ServerEvent } from './sse.ts';

// Beside /ui/, also behind a proxy that adds a prefix.
const prefix = '../api/v1';
const tokenKey = 'sluice-token';
const timeoutMs = 10_000;
// The stream carries figures each second: after so long without any, it is dead.
const silenceMs = 10_000;

// An answer that is not 2xx, with the words of the balancer.
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
  }
}

// Of this tab only; gone when it is closed.
export const token = {
  get: (): string => sessionStorage.getItem(tokenKey) ?? '',
  set(value: string): void {
    if (value === '') sessionStorage.removeItem(tokenKey);
    else sessionStorage.setItem(tokenKey, value);
  },
};

const authorization = (): Record<string, string> =>
  token.get() === '' ? {} : { authorization: `Bearer ${token.get()}` };

// What the balancer says in a problem document, with everything that is wrong.
export function problemText(status: number, body: string): string {
  try {
    const problem = JSON.parse(body) as Partial<Problem>;
    const issues = (problem.issues ?? []).map(
      ({ path, message, expected }) => `${path}: ${message}; expected ${expected}`,
    );
    const text = [problem.detail ?? problem.title, ...issues].filter(Boolean).join('\n');
    if (text !== '') return text;
  } catch {
    // Not JSON: something between the page and the balancer answered.
  }
  return `answered with status ${status}`;
}

async function failure(response: Response): Promise<ApiError> {
  return new ApiError(response.status, problemText(response.status, await response.text()));
}

export interface Write {
  readonly method: 'POST' | 'PATCH' | 'DELETE';
  readonly body?: object;
}

// The answer's body. Throws ApiError, or what fetch throws when nobody answers.
export async function ask<T>(path: string, write?: Write): Promise<T> {
  const { method = 'GET', body } = write ?? {};
  const content = body === undefined ? {} : { 'content-type': 'application/json' };
  const response = await fetch(`${prefix}${path}`, {
    method,
    headers: { accept: 'application/json', ...authorization(), ...content },
    body: body === undefined ? null : JSON.stringify(body),
    cache: 'no-store',
    signal: AbortSignal.timeout(timeoutMs),
  });
  // Health that is not good comes with 503, and is an answer.
  const isAnswer = response.ok || (path === '/health' && response.status === 503);
  if (!isAnswer) throw await failure(response);
  const text = await response.text();
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

export const backendPath = (pool: string, backend: string): string =>
  `/pools/${encodeURIComponent(pool)}/backends/${encodeURIComponent(backend)}`;

// Reads the event stream until it ends. Throws as `ask` does, and when it falls silent.
export async function follow(
  parser: EventParser,
  opened: () => void,
  event: (event: ServerEvent) => void,
): Promise<void> {
  const stop = new AbortController();
  const silent = (): void => stop.abort(new Error('the balancer fell silent'));
  let timer = setTimeout(silent, silenceMs);
  try {
    // 0: everything that is kept.
    const response = await fetch(`${prefix}/events?stats=1&since=${parser.lastId ?? '0'}`, {
      headers: { accept: 'text/event-stream', ...authorization() },
      cache: 'no-store',
      signal: stop.signal,
    });
    if (!response.ok || response.body === null) throw await failure(response);
    opened();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      clearTimeout(timer);
      timer = setTimeout(silent, silenceMs);
      for (const one of parser.take(piece.value)) event(one);
    }
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
}
