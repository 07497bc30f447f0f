// What the controller knows of each listener, pool and backend that has a slot.
import type { Address, Backend, Listener, PoolSettings } from '../model/types.ts';
import type { PlanBackend } from '../shm/publish.ts';

export type Bound = { readonly host: string; readonly port: number } | { readonly path: string };

export interface OpenedListener {
  readonly descriptors: readonly number[];
  readonly family: 'ipv4' | 'ipv6' | 'unix_socket';
  readonly bound: Bound;
  // Of a Unix socket's file that this process made.
  readonly inode: bigint | undefined;
}

export interface ListenerRecord {
  readonly slot: number;
  readonly incarnation: number;
  listener: Listener;
  opened: OpenedListener;
}

// The route itself is in its listener.
export interface RouteRecord {
  readonly slot: number;
  readonly incarnation: number;
}

export interface DrainResult {
  // Connections that were ended because the time was over.
  readonly cut: number;
}

// The end of a backend that is no longer wanted.
export interface Retirement {
  readonly done: Promise<DrainResult>;
  resolve(result: DrainResult): void;
  reject(error: unknown): void;
}

export function retirement(): Retirement {
  let resolve: Retirement['resolve'] = () => {};
  let reject: Retirement['reject'] = () => {};
  const done = new Promise<DrainResult>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // Often nobody waits.
  done.catch(() => {});
  return { done, resolve, reject };
}

export interface BackendRecord extends PlanBackend {
  readonly slot: number;
  readonly incarnation: number;
  readonly address: Address;
  readonly pool: PoolRecord;
  readonly backend: Backend;
  // What the live word says.
  admin: 'up' | 'drain' | 'cut';
  weight: number;
  // Set while the backend is no longer wanted and still has its slot.
  retirement: Retirement | undefined;
  // Milliseconds to finish in, when it goes; otherwise the pool's.
  removeTimeoutMs: number | undefined;
}

export interface PoolRecord {
  readonly slot: number;
  readonly incarnation: number;
  readonly name: string;
  settings: PoolSettings;
  // In order of arrival: a change never reorders those that stay.
  members: BackendRecord[];
  // By `Backend.key`.
  readonly byKey: Map<string, BackendRecord>;
  // No longer wanted; kept until its last backend is gone.
  retiring: boolean;
}
