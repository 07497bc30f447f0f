// What is known of a container engine and its containers, as the native API says it.
import type { ContainersAnswer } from './api-types.ts';

interface Status {
  readonly endpoint: string;
  readonly connected: boolean;
  // Milliseconds since the epoch.
  readonly lastSyncMs: number | undefined;
  readonly error: string | undefined;
  readonly containers: readonly {
    readonly id: string;
    readonly name: string;
    readonly image: string;
    readonly state: 'balanced' | 'draining' | 'skipped' | 'ignored';
    readonly reason: string | undefined;
    readonly address: string | undefined;
    readonly pools: readonly string[];
    readonly routes: readonly string[];
  }[];
}

// undefined when none is watched.
export function containersAnswer(status: Status | undefined): ContainersAnswer | undefined {
  if (status === undefined) return undefined;
  const { endpoint, connected, lastSyncMs, error, containers } = status;
  return {
    provider: {
      endpoint,
      connected,
      ...(lastSyncMs === undefined ? {} : { lastSyncAt: new Date(lastSyncMs).toISOString() }),
      ...(error === undefined ? {} : { error }),
    },
    containers: containers.map(({ reason, address, ...container }) => ({
      ...container,
      ...(reason === undefined ? {} : { reason }),
      ...(address === undefined ? {} : { address }),
    })),
  };
}
