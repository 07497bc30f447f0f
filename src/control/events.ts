// What a balancer tells those who listen.
import type { EngineFallback } from '../shm/layout.gen.ts';
import type { Bound } from './records.ts';

export interface ConfigApplied {
  // Of the publication; unchanged when only live words changed.
  readonly sequence: number;
  // Workers that follow it.
  readonly workers: number;
}

export interface Events {
  'config:applied': [ConfigApplied];
  // A configuration was refused, or could not be published; what runs stays.
  'config:refused': [{ readonly error: unknown }];
  'listener:listening': [{ readonly listener: string; readonly address: Bound }];
  'listener:closed': [{ readonly listener: string }];
  'backend:added': [{ readonly pool: string; readonly backend: string }];
  // Its last connection is gone; `cut` of them were ended because the time was over.
  'backend:drained': [{ readonly pool: string; readonly backend: string; readonly cut: number }];
  'backend:removed': [{ readonly pool: string; readonly backend: string }];
  // It takes traffic: its first check succeeded, checks find it healthy again, or no worker ejects
  // it any more.
  'backend:up': [{ readonly pool: string; readonly backend: string; readonly reason: string }];
  // Checks find it unhealthy: it gets no traffic.
  'backend:down': [{ readonly pool: string; readonly backend: string; readonly reason: string }];
  // Workers leave it alone until then: connecting failed, or it failed too often in a row.
  'backend:ejected': [
    {
      readonly pool: string;
      readonly backend: string;
      readonly reason: 'connect' | 'failures';
      readonly until: Date;
      readonly workers: number;
    },
  ];
  'worker:stuck': [{ readonly worker: number; readonly heartbeatAgeMs: number }];
  'worker:recovered': [{ readonly worker: number }];
  // A worker does without io_uring. `error`: the errno behind it, 0 when there is none.
  'engine:fallback': [
    { readonly worker: number; readonly reason: EngineFallback; readonly error: number },
  ];
  closed: [];
}

export type Emit = <K extends keyof Events>(event: K, ...args: Events[K]) => void;
