// How foreign dialects are spoken over HTTP: each has its own form of errors.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { issueText, SluiceError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { checkedBody } from './endpoint.ts';
import { acceptJson, refuseOthers, sendJson } from './http.ts';
import { problemOf, Refusal } from './problem.ts';

type Handle = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

export interface DialectRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly url: string;
  readonly handle: Handle;
}

export interface Dialect {
  readonly routes: readonly DialectRoute[];
  // Media types under which JSON comes.
  readonly types: readonly string[];
  // The body of an error.
  readonly errorOf: (text: string) => unknown;
}

export const parameter = (request: FastifyRequest, name: string): string =>
  String((request.params as Readonly<Record<string, unknown>>)[name] ?? '');

export const bodyOf = <S extends z.ZodType>(request: FastifyRequest, schema: S): z.output<S> =>
  checkedBody(schema, request.body);

// What was sent is wrong, which is 400 in both dialects.
function errorText(error: unknown): { readonly status: number; readonly text: string } {
  if (error instanceof SluiceError && error.issues.length > 0) {
    return { status: 400, text: error.issues.map(issueText).join('; ') };
  }
  const { status, detail } = problemOf(error);
  return { status: status === 422 ? 400 : status, text: detail };
}

export function speak(app: FastifyInstance, dialect: Dialect, log: Logger): void {
  void app.register(async (scope) => {
    acceptJson(scope, dialect.types);
    scope.setErrorHandler((error, request, reply) => {
      const { status, text } = errorText(error);
      if (status === 500) {
        log.error('admin: request failed', { method: request.method, url: request.url, error });
      }
      if (error instanceof Refusal) reply.headers(error.headers);
      return sendJson(reply.code(status), dialect.errorOf(text));
    });
    for (const { method, url, handle } of dialect.routes) {
      scope.route({ method, url, handler: handle });
    }
    for (const url of new Set(dialect.routes.map((one) => one.url))) {
      const known = dialect.routes.filter((one) => one.url === url).map(({ method }) => method);
      refuseOthers(scope, url, known);
    }
  });
}
