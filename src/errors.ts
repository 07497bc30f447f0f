// Every error sluice throws on purpose: one table of codes. A code is part of the public interface
// and never changes its meaning; the text may. `status` is the HTTP status the admin API answers.

interface Entry {
  readonly status: number;
  // `{name}` is replaced by the detail of that name.
  readonly text: string;
}

const table = {
  ERR_SLUICE_CONFIG: { status: 422, text: 'the configuration is not valid: {summary}' },
  ERR_SLUICE_CONFIG_FILE: { status: 422, text: 'cannot read the configuration {path}: {reason}' },
  ERR_SLUICE_ARGUMENT: {
    status: 400,
    text: '{argument} is {value}, which is not allowed: expected {expected}',
  },
  ERR_SLUICE_PLATFORM: {
    status: 501,
    text:
      'sluice balances traffic on Linux only, and this is {platform}; ' +
      'configuration and types work everywhere, starting needs Linux',
  },
  ERR_SLUICE_ADDON_NOT_FOUND: {
    status: 501,
    text:
      'no binary of the data plane for {platform} ({libc}) was found: reinstall sluice with its ' +
      'prebuilt binaries, or build it with `npm run compile` (needs g++ 12 or later, make, ' +
      'python3 and the headers of node)',
  },
  ERR_SLUICE_ADDON_LAYOUT: {
    status: 501,
    text:
      'the data plane binary has memory layout {binary}, this version needs {expected}: ' +
      'the binary belongs to another version of sluice; reinstall it',
  },
  ERR_SLUICE_START: { status: 500, text: 'the data plane did not start: {reason}' },
  ERR_SLUICE_LISTEN: { status: 409, text: 'cannot listen on {address} ({listener}): {reason}' },
  ERR_SLUICE_RESOLVE: { status: 422, text: 'cannot resolve {host} (at {path}): {reason}' },
  ERR_SLUICE_RESTART_NEEDED: {
    status: 409,
    text: '{key} cannot change from {from} to {to} while running: start anew to change it',
  },
  ERR_SLUICE_WORKER_STUCK: {
    status: 503,
    text:
      'published, but {workers} did not take it over within {timeout} ms; ' +
      'all other workers follow it',
  },
  ERR_SLUICE_NO_SNAPSHOT_SLOT: {
    status: 503,
    text:
      'nothing was changed: all {slots} configuration slots are held by workers that are stuck ' +
      'or still connect with an old one',
  },
  ERR_SLUICE_LIMIT: {
    status: 422,
    text: 'nothing was changed: {wanted} {what} are wanted, {available} are available',
  },
  ERR_SLUICE_NO_LISTENER: { status: 404, text: 'there is no listener named {listener}' },
  ERR_SLUICE_NO_POOL: { status: 404, text: 'there is no pool named {pool}' },
  ERR_SLUICE_NO_BACKEND: { status: 404, text: 'pool {pool} has no backend {backend}' },
  ERR_SLUICE_BACKEND_EXISTS: { status: 409, text: 'pool {pool} already has backend {backend}' },
  ERR_SLUICE_CONFLICT: { status: 409, text: '{what} is stated by both {first} and {second}' },
  ERR_SLUICE_NO_ROUTE: { status: 404, text: 'there is no route {id} that was made at run time' },
  ERR_SLUICE_NO_IMAGE: { status: 404, text: 'no image is mapped to {listen}' },
  ERR_SLUICE_NOT_OVERRIDDEN: {
    status: 409,
    text: "{what} {name} is defined by provider '{source}': remove it there",
  },
  ERR_SLUICE_STATE_FILE: { status: 500, text: 'the state file {path}: {reason}' },
  ERR_SLUICE_DRAIN_CANCELLED: {
    status: 409,
    text: 'the drain of {backend} in pool {pool} was ended: {reason}',
  },
  ERR_SLUICE_NO_FILE: { status: 409, text: 'this balancer was not started from a file' },
  ERR_SLUICE_CLOSED: { status: 503, text: 'the balancer is closing or closed' },
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof table;

// One thing that is wrong with a configuration.
export interface Issue {
  // `pools.web.backends[1].weight`; empty for the whole document.
  readonly path: string;
  readonly value: unknown;
  readonly expected: string;
  readonly message: string;
  // Line of the file, counted from 1, when it came from one.
  readonly line?: number;
}

export type Details = Readonly<Record<string, unknown>>;

export class SluiceError extends Error {
  readonly code: ErrorCode;
  // HTTP status that fits.
  readonly status: number;
  readonly details: Details;
  // Only of ERR_SLUICE_CONFIG: everything that is wrong, in the order of the document.
  readonly issues: readonly Issue[];

  constructor(
    code: ErrorCode,
    details: Details = {},
    options: { readonly cause?: unknown; readonly issues?: readonly Issue[] } = {},
  ) {
    super(fill(table[code].text, details), 'cause' in options ? { cause: options.cause } : {});
    this.name = 'SluiceError';
    this.code = code;
    this.status = table[code].status;
    this.details = details;
    this.issues = options.issues ?? [];
  }
}

const fill = (text: string, details: Details): string =>
  text.replace(/\{(\w+)\}/g, (_, name: string) => String(details[name] ?? `{${name}}`));

export const errorCodes: readonly ErrorCode[] = Object.keys(table) as ErrorCode[];

export function issueText({ path, message, line }: Issue): string {
  const place = path === '' ? 'configuration' : path;
  return line === undefined ? `${place}: ${message}` : `line ${line}, ${place}: ${message}`;
}

export function configError(issues: readonly Issue[], cause?: unknown): SluiceError {
  const summary = issues.map(issueText).join('; ');
  return new SluiceError(
    'ERR_SLUICE_CONFIG',
    { summary },
    cause === undefined ? { issues } : { issues, cause },
  );
}

// The reason in a few words, for messages that quote a cause.
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && !error.message.includes(code)
    ? `${code}: ${error.message}`
    : error.message;
}
