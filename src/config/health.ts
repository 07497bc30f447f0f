// Checks and ejections as the model has them, from what the schema has accepted.
import type { EjectionSettings, HealthCheck } from '../model/health.ts';
import { accepted, duration } from './defaults.ts';
import { type EjectionConfig, type HealthCheckConfig, parseStatuses } from './schema-health.ts';
import { durationText } from './units.ts';

const checkDefaults = {
  path: '/health',
  intervalMs: 5000,
  timeoutMs: 2000,
  rise: 2,
  fall: 3,
  statuses: [[200, 200]],
} as const;
const ejectionDefaults = { failures: 5, baseMs: 1000, maxMs: 60_000 } as const;

export function healthCheckOf(config: HealthCheckConfig | undefined): HealthCheck | undefined {
  if (config === undefined) return undefined;
  return {
    type: config.type ?? 'http',
    path: config.path ?? checkDefaults.path,
    host: config.host,
    statuses:
      config.statuses?.map((stated) => accepted(parseStatuses(stated))) ?? checkDefaults.statuses,
    port: config.port,
    intervalMs: duration(config.interval, checkDefaults.intervalMs),
    timeoutMs: duration(config.timeout, checkDefaults.timeoutMs),
    rise: config.rise ?? checkDefaults.rise,
    fall: config.fall ?? checkDefaults.fall,
  };
}

export function ejectionOf(config: EjectionConfig | undefined): EjectionSettings {
  if (config === false) return { ...ejectionDefaults, failures: 0 };
  const baseMs = duration(config?.baseTime, ejectionDefaults.baseMs);
  return {
    failures: config?.failures ?? ejectionDefaults.failures,
    baseMs,
    maxMs: duration(config?.maxTime, Math.max(ejectionDefaults.maxMs, baseMs)),
  };
}

const time = (ms: number, usual: number): string | undefined =>
  ms === usual ? undefined : durationText(ms);
const unless = <T>(value: T, usual: T): T | undefined => (value === usual ? undefined : value);

// Without keys whose value is undefined.
const stated = <T extends object>(config: T): T =>
  Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined)) as T;

// In the language of configuration files; undefined where that is silent. What is the default is
// left out.
export function printHealthCheck(check: HealthCheck | undefined): object | undefined {
  if (check === undefined) return undefined;
  const statuses = check.statuses.map(([first, last]) =>
    first === last ? first : `${first}-${last}`,
  );
  return stated({
    type: unless(check.type, 'http'),
    path: unless(check.path, checkDefaults.path),
    host: check.host,
    statuses: statuses.join() === '200' ? undefined : statuses,
    port: check.port,
    interval: time(check.intervalMs, checkDefaults.intervalMs),
    timeout: time(check.timeoutMs, checkDefaults.timeoutMs),
    rise: unless(check.rise, checkDefaults.rise),
    fall: unless(check.fall, checkDefaults.fall),
  });
}

export function printEjection({ failures, baseMs, maxMs }: EjectionSettings): unknown {
  if (failures === 0) return false;
  const printed = stated({
    failures: unless(failures, ejectionDefaults.failures),
    baseTime: time(baseMs, ejectionDefaults.baseMs),
    maxTime: time(maxMs, Math.max(ejectionDefaults.maxMs, baseMs)),
  });
  return Object.keys(printed).length === 0 ? undefined : printed;
}
