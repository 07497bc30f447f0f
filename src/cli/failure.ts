// What a command says when it fails, and the exit code that goes with it.
import { type Issue, meantText, reasonOf, SluiceError, shown } from '../errors.ts';

export const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;

// A signal's conventional exit code: 128 and its number.
export const signalExit = { SIGTERM: 143, SIGINT: 130 } as const;

// Wrong use of the command line; the message is all that people need.
export class UsageError extends Error {}

const usageCodes: ReadonlySet<string> = new Set([
  'ERR_SLUICE_CONFIG',
  'ERR_SLUICE_CONFIG_FILE',
  'ERR_SLUICE_RESOLVE',
  'ERR_SLUICE_ARGUMENT',
]);

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCodes.usage;
  return error instanceof SluiceError && usageCodes.has(error.code)
    ? exitCodes.usage
    : exitCodes.failed;
}

// `sluice.yaml:7:15: pools.web.strategy is "fast": expected one of …`
function issueLine(asked: string | undefined, issue: Issue): string {
  const { path, value, expected, message, line, column, file = asked } = issue;
  const place = [file, line, column].filter((part) => part !== undefined).join(':');
  const subject = path === '' ? 'the configuration' : path;
  // Of an unknown key, and of text that cannot be read, the message says more than the value.
  const says =
    message.startsWith('unknown key') || (path === '' && value === undefined)
      ? `${subject}: ${message}`
      : `${subject} is ${shown(value)}: expected ${expected}`;
  const whole = `${says}${meantText(issue)}`;
  return place === '' ? whole : `${place}: ${whole}`;
}

// Lines for people, without a stack: those are for our own mistakes.
export function failureLines(error: unknown, file?: string): string[] {
  if (error instanceof SluiceError && error.issues.length > 0) {
    return error.issues.map((issue) => issueLine(file, issue));
  }
  if (error instanceof SluiceError) return [`${error.message} (${error.code})`];
  if (error instanceof UsageError) return [error.message];
  return [error instanceof Error ? (error.stack ?? error.message) : reasonOf(error)];
}
