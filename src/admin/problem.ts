// Errors of the admin API in one form, application/problem+json (RFC 9457), written in one place.
import { STATUS_CODES } from 'node:http';
import { reasonOf, SluiceError } from '../errors.ts';
import type { Problem } from './api-types.ts';

export const problemType = 'application/problem+json';

export function problem(
  status: number,
  detail: string,
  more: Pick<Problem, 'code' | 'issues'> = {},
): Problem {
  const title = STATUS_CODES[status] ?? 'Error';
  return { type: 'about:blank', title, status, detail, ...more };
}

// Refusals by the server itself, before an endpoint is asked: status and text are meant for the
// client.
export class Refusal extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

// What Fastify found wrong with a request: its body, its media type.
function isRequestFault(error: unknown): error is Error & { readonly statusCode: number } {
  if (!(error instanceof Error)) return false;
  const { statusCode } = error as { statusCode?: unknown };
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500;
}

// What is not an error of the table is our own mistake: its text goes to the log, not to a client.
export function problemOf(error: unknown): Problem {
  if (error instanceof SluiceError) {
    const { code, status, issues } = error;
    const found = issues.map(({ path, message, expected }) => ({ path, message, expected }));
    const more = found.length > 0 ? { code, issues: found } : { code };
    return problem(status, reasonOf(error), more);
  }
  if (error instanceof Refusal) return problem(error.status, error.message);
  if (isRequestFault(error)) return problem(error.statusCode, error.message);
  return problem(500, 'an internal error; the log has its text');
}
