// What every kind of check has in common.
import type { CheckResult, HealthCheck } from '../model/health.ts';
import type { Address } from '../model/types.ts';

export interface Finding {
  readonly result: CheckResult;
  // In words, for people.
  readonly reason: string;
}

// Starts one check and calls `done` once, within the check's timeout. The value ends it early: then
// `done` is not called.
export type Probe = (
  address: Address,
  check: HealthCheck,
  done: (finding: Finding) => void,
) => () => void;

// Where to connect to.
export function endpointOf(address: Address, { port }: HealthCheck) {
  if (address.kind === 'unix') return { path: address.path };
  return { host: hostOf(address.text), port: port ?? address.port };
}

// Without port and brackets.
const hostOf = (text: string): string =>
  text.slice(0, text.lastIndexOf(':')).replace(/^\[|\]$/g, '');

const byCode: Readonly<Record<string, CheckResult>> = {
  ECONNREFUSED: 'refused',
  ENOENT: 'refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ETIMEDOUT: 'timeout',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
};
const words: Readonly<Record<string, string>> = {
  refused: 'connection refused',
  unreachable: 'no way to the address',
  timeout: 'connecting took too long',
  reset: 'connection reset',
};

export function findingOf(error: Error): Finding {
  const { code = '' } = error as { code?: string };
  const result = code.startsWith('HPE_') ? 'invalid' : (byCode[code] ?? 'other');
  if (result === 'invalid') return { result, reason: `not HTTP: ${error.message}` };
  return { result, reason: words[result] ?? error.message };
}

export const timedOut = (timeoutMs: number): Finding => ({
  result: 'timeout',
  reason: `no answer within ${timeoutMs} ms`,
});
