// The way of commands to a balancer that runs: its admin API.
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Problem } from '../admin/api-types.ts';
import { parseAddress } from '../config/address.ts';
import { adminDefault } from '../config/schema-admin.ts';
import { reasonOf } from '../errors.ts';
import { CommandError, exitCodes, isUsageCode, UsageError } from './failure.ts';

export interface AdminOptions {
  // `host:port` or `unix:/path`.
  readonly admin?: string | undefined;
  readonly token?: string | undefined;
}

// Nobody answers where a balancer was looked for.
export class UnreachableError extends CommandError {}

// The balancer refused; the message has its reasons, a line for each.
export class RefusedError extends CommandError {
  readonly status: number;
  readonly problem: Problem | undefined;
  constructor(message: string, status: number, problem?: Problem) {
    super(message, isUsageCode(problem?.code) ? exitCodes.usage : exitCodes.failed);
    this.status = status;
    this.problem = problem;
  }
}

export interface Reply {
  readonly status: number;
  readonly body: string;
}

// The API answers at once, but for draining with `wait`.
const answerTimeoutMs = 10_000;

type Where = { readonly socketPath: string } | { readonly host: string; readonly port: number };

function whereOf(text: string): Where {
  const found = text === 'off' ? undefined : parseAddress(text, '127.0.0.1');
  if (found === undefined) {
    throw new UsageError(`--admin is '${text}': expected host:port or unix:/path`);
  }
  if (found.kind === 'unix') return { socketPath: found.path };
  const host = text.startsWith(':') ? '127.0.0.1' : text.replace(/:\d+$/, '');
  return { host: host.replace(/^\[|\]$/g, ''), port: found.port };
}

// What is wrong, in lines.
function refusalOf(status: number, body: string): RefusedError {
  let problem: Problem | undefined;
  try {
    problem = JSON.parse(body) as Problem;
  } catch {
    return new RefusedError(`the admin API answered ${status}`, status);
  }
  if (status === 401 && problem.detail === undefined) {
    return new RefusedError('the admin API wants a token', status);
  }
  const { detail, title, code, issues = [] } = problem;
  const lines = issues.map(({ path, message, expected }) => {
    const place = path === '' ? '' : `${path}: `;
    return `${place}${message || `expected ${expected}`}`;
  });
  const whole = detail ?? title ?? `the admin API answered ${status}`;
  // The code stands behind the words, as in errors of this process.
  const words = code === undefined ? whole : whole.replace(`${code}: `, '');
  const first = code === undefined ? words : `${words} (${code})`;
  return new RefusedError((lines.length > 0 ? lines : [first]).join('\n'), status, problem);
}

const tokenHint = '; --token or SLUICE_TOKEN states one';

export class AdminClient {
  readonly address: string;
  readonly #where: Where;
  readonly #token: string | undefined;

  // Throws a UsageError.
  constructor({ admin, token }: AdminOptions) {
    this.address = admin ?? adminDefault;
    this.#where = whereOf(this.address);
    this.#token = token;
  }

  // Any status. Rejects with UnreachableError. `timeoutMs` 0: as long as it takes.
  async reply(
    method: string,
    path: string,
    body?: unknown,
    timeoutMs = answerTimeoutMs,
  ): Promise<Reply> {
    const answer = await this.#open(method, path, body, timeoutMs);
    let text = '';
    answer.setEncoding('utf8');
    try {
      for await (const part of answer) text += part;
    } catch (error) {
      throw this.#unreachable(error);
    }
    return { status: answer.statusCode ?? 0, body: text };
  }

  // The JSON of a 2xx answer. Rejects with RefusedError otherwise. `also`: another status whose
  // answer is one.
  async json<T>(
    method: string,
    path: string,
    { body, timeoutMs, also }: { body?: unknown; timeoutMs?: number; also?: number } = {},
  ): Promise<T> {
    const { status, body: text } = await this.reply(method, path, body, timeoutMs);
    if ((status < 200 || status > 299) && status !== also) throw this.#refused(status, text);
    try {
      return (text === '' ? {} : JSON.parse(text)) as T;
    } catch {
      throw new CommandError(`what answers at ${this.address} is not a sluice: no JSON`);
    }
  }
  get<T>(path: string): Promise<T> {
    return this.json<T>('GET', path);
  }

  // The lines of an answer that goes on; ends with the answer or with the signal.
  async *lines(path: string, signal: AbortSignal): AsyncGenerator<string> {
    const answer = await this.#open('GET', path, undefined, 0, signal);
    answer.setEncoding('utf8');
    let rest = '';
    try {
      if (answer.statusCode !== 200) {
        for await (const part of answer) rest += part;
        throw this.#refused(answer.statusCode ?? 0, rest);
      }
      for await (const part of answer) {
        const lines = (rest + part).split(/\r?\n/);
        rest = lines.pop() ?? '';
        yield* lines;
      }
    } catch (error) {
      if (!signal.aborted) throw error instanceof CommandError ? error : this.#unreachable(error);
    }
  }

  #open(
    method: string,
    path: string,
    body: unknown,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<IncomingMessage> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const asked: ClientRequest = request(
        {
          ...this.#where,
          method,
          path,
          agent: false,
          ...(timeoutMs > 0 && { timeout: timeoutMs }),
          ...(signal && { signal }),
          headers: {
            accept: 'application/json',
            ...(payload !== undefined && {
              'content-type': 'application/json',
              'content-length': Buffer.byteLength(payload),
            }),
            ...(this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
          },
        },
        resolve,
      );
      asked.on('timeout', () => {
        asked.destroy(new Error(`no answer within ${timeoutMs / 1000} s`));
      });
      asked.on('error', (error) => reject(this.#unreachable(error)));
      asked.end(payload);
    });
  }

  #refused(status: number, body: string): RefusedError {
    const error = refusalOf(status, body);
    if (status !== 401 && status !== 403) return error;
    const hint = this.#token === undefined ? tokenHint : '';
    return new RefusedError(error.message + hint, status, error.problem);
  }
  #unreachable(error: unknown): UnreachableError {
    return new UnreachableError(
      `no sluice answers at ${this.address}: ${reasonOf(error)}; ` +
        'is it running? --admin or SLUICE_ADMIN says where',
    );
  }
}
