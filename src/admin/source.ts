// The part of a balancer that the admin API reads and changes. Everything that is written goes
// through the same queue as the changes of the programming interface.
import type { Pool } from '../control/pool.ts';
import type { Bound } from '../control/records.ts';
import type { HealthReport } from '../metrics/health.ts';
import type { Model } from '../model/types.ts';
import type { MetricsView } from '../shm/read.ts';
import type { ContainersAnswer, ImageMapping } from './api-types.ts';

// Told of every event of the balancer, under its name.
export type EventListener = (name: string, detail: Readonly<Record<string, unknown>>) => void;

export interface AdminSource {
  readonly model: Model;
  health(): HealthReport;
  // Prometheus text.
  metrics(): string;
  view(): MetricsView;
  // Throws ERR_SLUICE_NO_LISTENER.
  address(listener: string): Bound;
  // Throws ERR_SLUICE_NO_POOL.
  pool(name: string): Pool;
  // Whose definition of it is in force: the name of a provider.
  sourceOf(kind: 'listener' | 'pool', name: string): string;
  // Returns the end of the listening.
  listen(listener: EventListener): () => void;
  // Of the container engine that is watched, if any.
  readonly containers?: ContainerSource | undefined;
}

export interface ContainerSource {
  status(): ContainersAnswer;
  images(): readonly ImageMapping[];
  // Resolves when it is in force and persisted.
  mapImage(mapping: ImageMapping): Promise<void>;
  // Throws ERR_SLUICE_ARGUMENT when nothing is mapped there.
  stopPort(listen: string): Promise<void>;
}
