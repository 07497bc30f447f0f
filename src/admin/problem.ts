// Errors of the admin API in one form, application/problem+json (RFC 9457), written in one place.
import { STATUS_CODES } from 'node:http';
import { reasonOf, SluiceError } from '../errors.ts';

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Problem {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code?: string;
}

export function problem(
  status: number,
  detail: string,
  more: { readonly code?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Answer {
  const { code, headers } = more;
  const document: Problem = {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    ...(code === undefined ? {} : { code }),
  };
  const body = `${JSON.stringify(document)}\n`;
  const answer = { status, type: 'application/problem+json', body };
  return headers === undefined ? answer : { ...answer, headers };
}

// What is not an error of the table is our own mistake: its text goes to the log, not to a client.
export function problemOf(error: unknown): Answer {
  if (error instanceof SluiceError) {
    return problem(error.status, reasonOf(error), { code: error.code });
  }
  return problem(500, 'an internal error; the log has its text');
}
