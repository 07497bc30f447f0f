// What an endpoint of the native API is: one description, from which the server, the checks of what
// is sent and the OpenAPI document are made.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { pathText } from '../config/paths.ts';
import { configError, SluiceError } from '../errors.ts';
import type { EventStream } from './event-stream.ts';
import type { Queue } from './queue.ts';
import type { AdminSource } from './source.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Exchange<P, Q, B> {
  readonly source: AdminSource;
  readonly events: EventStream;
  readonly queue: Queue;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

export interface Result {
  readonly status?: number;
  // Sent as JSON; undefined: nothing.
  readonly body?: unknown;
  readonly etag?: string | undefined;
}

export interface AnswerShape {
  readonly description: string;
  readonly schema?: z.ZodType;
  // application/json unless stated.
  readonly type?: string;
}

export interface Endpoint<P = unknown, Q = unknown, B = unknown> {
  readonly method: Method;
  // With parameters as OpenAPI writes them: `/api/v1/pools/{pool}`.
  readonly path: string;
  readonly summary: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  // By status; what goes wrong is a problem document and is not listed.
  readonly answers: Readonly<Record<number, AnswerShape>>;
  // Has an ETag, or takes one in If-Match.
  readonly tagged?: boolean;
  // undefined: the handler has answered itself.
  handle(exchange: Exchange<P, Q, B>): Promise<Result | undefined> | Result | undefined;
}

type Out<S> = S extends z.ZodType ? z.output<S> : undefined;

export function endpoint<
  const P extends z.ZodObject | undefined = undefined,
  const Q extends z.ZodObject | undefined = undefined,
  const B extends z.ZodType | undefined = undefined,
>(
  stated: Omit<Endpoint, 'params' | 'query' | 'body' | 'handle'> & {
    readonly params?: P;
    readonly query?: Q;
    readonly body?: B;
    handle(
      exchange: Exchange<Out<P>, Out<Q>, Out<B>>,
    ): Promise<Result | undefined> | Result | undefined;
  },
): Endpoint {
  return stated as unknown as Endpoint;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined,
    input,
  );
}

// Throws ERR_SLUICE_CONFIG with everything that is wrong.
export function checkedBody<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const checked = schema.safeParse(input);
  if (checked.success) return checked.data;
  throw configError(
    checked.error.issues.map(({ path, message }) => ({
      path: pathText(path),
      value: valueAt(input, path),
      expected: message.replace(/^expected /, ''),
      message,
    })),
    checked.error,
  );
}

// Throws ERR_SLUICE_ARGUMENT.
export function checkedQuery<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const checked = schema.safeParse(input);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const path = issue?.path ?? [];
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  throw new SluiceError('ERR_SLUICE_ARGUMENT', {
    argument: unknown ?? path.join('.'),
    value: JSON.stringify(valueAt(input, unknown === undefined ? path : [unknown])) ?? 'absent',
    expected:
      unknown === undefined
        ? (issue?.message.replace(/^expected /, '') ?? 'something else')
        : 'no such parameter',
  });
}
