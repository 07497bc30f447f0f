// How a pool watches its backends, and what is known of them. Times are milliseconds.

export interface HealthCheck {
  readonly type: 'http' | 'tcp';
  // Of http: what is asked for, under which Host (undefined: the backend's address), and which
  // statuses are healthy, each a first and a last one.
  readonly path: string;
  readonly host: string | undefined;
  readonly statuses: readonly (readonly [number, number])[];
  // undefined: that of the backend.
  readonly port: number | undefined;
  // From the start of one check to the start of the next.
  readonly intervalMs: number;
  // For a whole check.
  readonly timeoutMs: number;
  // Checks in a row: successes until an unhealthy backend is healthy, failures until any other is
  // unhealthy. The first success of one that was never judged is enough.
  readonly rise: number;
  readonly fall: number;
}

// What workers do with backends that fail the traffic itself.
export interface EjectionSettings {
  // In a row; 0: no backend is ejected.
  readonly failures: number;
  // Of the first ejection; each that follows without a success lasts twice as long, up to the max.
  readonly baseMs: number;
  readonly maxMs: number;
}

export const checkResults = [
  'success',
  'status', // answered with another status
  'timeout',
  'refused', // nobody listens there
  'unreachable', // no way there
  'reset', // the connection broke
  'invalid', // the answer is not HTTP
  'other',
] as const;
export type CheckResult = (typeof checkResults)[number];

// One check.
export interface CheckReport {
  readonly result: CheckResult;
  // In words, for people: `status 500`, `no answer within 2000 ms`.
  readonly reason: string;
  // Since the epoch, when it ended.
  readonly atMs: number;
  readonly durationMs: number;
}

const equalStatuses = (a: HealthCheck['statuses'], b: HealthCheck['statuses']): boolean =>
  a.length === b.length &&
  a.every(([first, last], index) => first === b[index]?.[0] && last === b[index]?.[1]);

export function sameCheck(a: HealthCheck | undefined, b: HealthCheck | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  const keys = Object.keys(a) as (keyof HealthCheck)[];
  return (
    keys.every((key) => key === 'statuses' || a[key] === b[key]) &&
    equalStatuses(a.statuses, b.statuses)
  );
}

export const sameEjection = (a: EjectionSettings, b: EjectionSettings): boolean =>
  a.failures === b.failures && a.baseMs === b.baseMs && a.maxMs === b.maxMs;

// Seconds after which a client that found no backend may ask again: by then a check has been made.
export const retryAfterSeconds = (check: HealthCheck | undefined): number =>
  Math.max(1, Math.ceil((check?.intervalMs ?? 5000) / 1000));
