// What a command says when it fails, and the exit code that goes with it.
import { type Issue, meantText, reasonOf, SluiceError, shown } from '../errors.ts';

export const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;

// What people are told of them.
export const exitMeanings: readonly (readonly [code: string, meaning: string])[] = [
  ['0', 'ended as asked'],
  ['1', 'failed; `diff`: there are differences; `status`: not healthy; `doctor`: something fails'],
  ['2', 'wrong usage or configuration, nothing was changed; `diff`: it could not be compared'],
  ['130, 143', 'ended at once by a second INT or TERM'],
];

// A signal's conventional exit code: 128 and its number.
export const signalExit = { SIGTERM: 143, SIGINT: 130 } as const;

// Wrong use of the command line; the message is all that people need.
export class UsageError extends Error {}

// A failure whose message, of one or more lines, is all that people need.
export class CommandError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode: number = exitCodes.failed) {
    super(message);
    this.exitCode = exitCode;
  }
}

const usageCodes: ReadonlySet<string> = new Set([
  'ERR_SLUICE_CONFIG',
  'ERR_SLUICE_CONFIG_FILE',
  'ERR_SLUICE_RESOLVE',
  'ERR_SLUICE_ARGUMENT',
]);

// The code of an error of this process, or of a balancer that refused.
export const isUsageCode = (code: string | undefined): boolean =>
  code !== undefined && usageCodes.has(code);

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCodes.usage;
  if (error instanceof CommandError) return error.exitCode;
  return error instanceof SluiceError && isUsageCode(error.code)
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
  if (error instanceof UsageError || error instanceof CommandError) {
    return error.message.split('\n');
  }
  return [error instanceof Error ? (error.stack ?? error.message) : reasonOf(error)];
}
