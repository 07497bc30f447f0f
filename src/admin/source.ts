// The part of a balancer that the admin API reads and changes. Everything that is written goes
// through the same queue as the changes of the programming interface.
import type { Difference } from '../config/differences.ts';
import type { Applied } from '../control/controller.ts';
import type { Overrides } from '../control/overrides.ts';
import type { Pool } from '../control/pool.ts';
import type { Bound } from '../control/records.ts';
import type { HealthReport } from '../metrics/health.ts';
import type { Flag, Model } from '../model/types.ts';
import type { MetricsView } from '../shm/read.ts';
import type { ContainersAnswer } from './api-types.ts';
import type { Statements } from './dialect.ts';

// Told of every event of the balancer, under its name.
export type EventListener = (name: string, detail: Readonly<Record<string, unknown>>) => void;

export interface AdminSource {
  readonly model: Model;
  // The memfd of the shared memory.
  readonly memoryDescriptor: number;
  // That it was started from.
  readonly file: string | undefined;
  health(): HealthReport;
  // Prometheus text.
  metrics(): string;
  view(): MetricsView;
  // Throws ERR_SLUICE_NO_LISTENER.
  address(listener: string): Bound;
  // Throws ERR_SLUICE_NO_POOL.
  pool(name: string): Pool;
  readonly overrides: Overrides;
  configuration(): {
    readonly config: Readonly<Record<string, unknown>>;
    readonly flags: readonly Flag[];
  };
  // The provider whose definition is in force: by `listener NAME` and `pool NAME`; by `route
  // LISTENER HOST PATH` the provider of an attached route and who wants it.
  readonly owners: ReadonlyMap<string, string>;
  // Throws ERR_SLUICE_NO_FILE.
  diff(): Promise<readonly Difference[]>;
  // Throws ERR_SLUICE_NO_FILE, and what is wrong with the file.
  reload(): Promise<Applied>;
  // Returns the end of the listening.
  listen(listener: EventListener): () => void;
  // One of the dialects, as a source of what is desired.
  statements(dialect: 'servers' | 'domains'): Statements;
  // Of the container engine that is watched, if any.
  containers?(): ContainersAnswer | undefined;
}
