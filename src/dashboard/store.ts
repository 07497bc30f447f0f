// What the page knows of the balancer, as signals: views read them and are drawn anew when they
// change. Only `live.ts` and `actions.ts` write them.
import { signal } from '@preact/signals';
import type {
  ConfigAnswer,
  ContainersAnswer,
  EventMessage,
  HealthAnswer,
  ListenerAnswer,
  PoolAnswer,
  RouteAnswer,
  StatsAnswer,
  VersionAnswer,
} from '../admin/api-types.ts';
import { percent } from './format.ts';
import { History } from './history.ts';
import { Rates } from './rates.ts';

// `refused`: a token is asked for. `lost`: nobody answers; what is shown is old.
export type Connection = 'connecting' | 'live' | 'lost' | 'refused';

export interface Link {
  readonly state: Connection;
  // Why, in the words of the balancer or the browser.
  readonly reason: string;
  // Since when, in milliseconds since 1970.
  readonly sinceMs: number;
}

export const link = signal<Link>({ state: 'connecting', reason: '', sinceMs: Date.now() });
// What the balancer answers to a question that it should be able to answer; empty when it does.
export const trouble = signal('');
export const version = signal<VersionAnswer | undefined>(undefined);
export const health = signal<HealthAnswer | undefined>(undefined);
export const stats = signal<StatsAnswer | undefined>(undefined);
export const listeners = signal<readonly ListenerAnswer[]>([]);
export const pools = signal<readonly PoolAnswer[]>([]);
export const routes = signal<readonly RouteAnswer[]>([]);
export const containers = signal<ContainersAnswer | undefined>(undefined);
export const config = signal<ConfigAnswer | undefined>(undefined);
// Newest first.
export const events = signal<readonly EventMessage[]>([]);
export const eventsMax = 1000;

export const history = new History();
// Counts the changes of `history` and `rates`, which are not signals themselves.
export const beat = signal(0);
export const rates = new Rates();

// Now, to the second, for what says how long ago something was.
export const nowMs = signal(Date.now());

export const search = signal('');

// CPU of a worker's thread, as a share of one processor.
export const cpuOf = (worker: number): string => percent(rates.of(`cpu ${worker}`));
