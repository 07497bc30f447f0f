// Checks and ejections as the model has them, from what the schema has accepted.
import type { EjectionSettings, HealthCheck } from '../model/health.ts';
import { accepted, duration } from './defaults.ts';
import { type EjectionConfig, type HealthCheckConfig, parseStatuses } from './schema-health.ts';

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
