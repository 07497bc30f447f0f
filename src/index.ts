// The public interface.

export type { DialectOptions } from './admin/dialects.ts';
export type { Closing, Configuration, LoadBalancer } from './balancer.ts';
export { type ConfigExport, defineConfig } from './config/define.ts';
export type { Difference } from './config/differences.ts';
export {
  type Domain,
  type DomainBuilder,
  type DomainsOptions,
  domains,
  routeDomain,
} from './config/domains.ts';
export { jsonSchema } from './config/json-schema.ts';
export { loadConfigFile } from './config/load.ts';
export type { BackendConfig, Config, ListenerConfig, PoolConfig } from './config/schema.ts';
export type { Applied } from './control/controller.ts';
export type { Events } from './control/events.ts';
export type { Overrides, Overriding } from './control/overrides.ts';
export type { Changing, Draining, Pool, Waiting } from './control/pool.ts';
export type { Bound, DrainResult } from './control/records.ts';
export { type ErrorCode, errorCodes, type Issue, SluiceError } from './errors.ts';
export { createLogger, type Logger, type LogLevel } from './log.ts';
export type { HealthReport } from './metrics/health.ts';
export type { Stats } from './metrics/stats.ts';
export type { Flag } from './model/types.ts';
export type { ContainerStatus, DockerStatus } from './providers/docker.ts';
export type { Duration } from './providers/inputs.ts';
export type {
  ImageMapping,
  OverridesDocument,
  RouteConfig,
} from './providers/overrides.ts';
export type { BackendView, MetricsView, PoolView } from './shm/read.ts';
export { type ConfigFile, createLoadBalancer, type Options } from './start.ts';
