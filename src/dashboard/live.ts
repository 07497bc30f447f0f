// Keeps the store up to date: figures and events by the stream, everything else by asking again.
// While the page is hidden only the stream goes on, so that the charts have no hole.
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
import { ApiError, ask, follow } from './api.ts';
import { view } from './location.ts';
import { EventParser, type ServerEvent } from './sse.ts';
import * as store from './store.ts';

const pollMs = 2000;
// Containers and configuration, which events announce.
const slowPolls = 5;
const retryMs = [500, 1000, 2000, 3000];

const parser = new EventParser();
let wakeUp: () => void = () => {};
let retry: () => void = () => {};
let polls = 0;

const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

function setLink(state: store.Connection, reason = ''): void {
  const { value: before } = store.link;
  const isSame = before.state === state;
  store.link.value = { state, reason, sinceMs: isSame ? before.sinceMs : Date.now() };
}

function failed(error: unknown): void {
  if (error instanceof ApiError && error.status === 401) setLink('refused', error.message);
  else if (store.link.value.state !== 'refused') setLink('lost', reasonOf(error));
}

function countRates(atMs: number): void {
  const { rates } = store;
  for (const { name, requests, connectionsTotal } of store.listeners.value) {
    rates.take(`listener ${name}`, requests?.total ?? connectionsTotal, atMs);
  }
  for (const pool of store.pools.value) {
    rates.take(`pool ${pool.name}`, pool.requests?.total ?? pool.connectionsTotal, atMs);
    rates.take(`pool ${pool.name} 5xx`, pool.requests?.classes['5xx'] ?? 0, atMs);
    for (const [reason, total] of Object.entries(pool.errors)) {
      rates.take(`pool ${pool.name} error ${reason}`, total, atMs);
    }
    for (const { id, requestsTotal, connectionsTotal } of pool.backends) {
      rates.take(`backend ${pool.name} ${id}`, requestsTotal ?? connectionsTotal, atMs);
    }
  }
  for (const { listener, host, pathPrefix, requests } of store.routes.value) {
    rates.take(`route ${listener} ${host} ${pathPrefix}`, requests?.total ?? 0, atMs);
  }
  rates.forget(atMs - 60_000);
}

async function read<T>(path: string, take: (answer: T) => void): Promise<void> {
  take(await ask<T>(path));
}

// Asks for what is shown. What one question fails of does not keep the other answers away.
async function poll(): Promise<void> {
  const isSlow = polls++ % slowPolls === 0;
  const reads = [
    read<HealthAnswer>('/health', (answer) => {
      store.health.value = answer;
    }),
    read<readonly ListenerAnswer[]>('/listeners', (answer) => {
      store.listeners.value = answer;
    }),
    read<readonly PoolAnswer[]>('/pools', (answer) => {
      store.pools.value = answer;
    }),
  ];
  if (view.value === 'routes') {
    const take = (answer: readonly RouteAnswer[]): void => {
      store.routes.value = answer;
    };
    reads.push(read('/routes', take));
  }
  if (isSlow) {
    const takeContainers = (answer: ContainersAnswer): void => {
      store.containers.value = answer;
    };
    const takeConfig = (answer: ConfigAnswer): void => {
      store.config.value = answer;
    };
    reads.push(read('/containers', takeContainers), read('/config', takeConfig));
  }
  const failures = (await Promise.allSettled(reads)).flatMap((read) =>
    read.status === 'rejected' ? [read.reason as unknown] : [],
  );
  countRates(Date.now());
  store.beat.value += 1;
  report(failures);
}

// Whether the balancer is there is the stream's to say; a token that is refused is everybody's.
function report(failures: readonly unknown[]): void {
  const refused = failures.find((one) => one instanceof ApiError && one.status === 401);
  if (refused !== undefined) failed(refused);
  // What is seldom asked is asked again soon.
  if (failures.length > 0) polls = 0;
  const answered = failures.find((one) => one instanceof ApiError);
  store.trouble.value = refused === undefined && answered !== undefined ? reasonOf(answered) : '';
}

// Asks at once, for example after a change; with `all` also for what is seldom asked.
export function refresh(how: 'all' | 'usual' = 'usual'): void {
  if (how === 'all') polls = 0;
  wakeUp();
}

const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    wakeUp = () => {
      clearTimeout(timer);
      resolve();
    };
  });

async function keepAsking(): Promise<void> {
  for (;;) {
    if (!document.hidden && store.link.value.state !== 'refused') {
      await poll();
    }
    await sleep(pollMs);
  }
}

function take({ name, data }: ServerEvent): void {
  if (name === 'stats') {
    const stats = JSON.parse(data) as StatsAnswer;
    store.history.add(stats);
    for (const { index, cpuSeconds = 0 } of stats.workers) {
      store.rates.take(`cpu ${index}`, cpuSeconds, Date.parse(stats.at));
    }
    store.stats.value = stats;
    store.beat.value += 1;
    return;
  }
  const event = JSON.parse(data) as EventMessage;
  const known = store.events.value;
  // Ids count up, also over a restart.
  if (event.id <= (known[0]?.id ?? 0)) return;
  store.events.value = [event, ...known].slice(0, store.eventsMax);
  refresh('all');
}

async function keepFollowing(): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      store.version.value = await ask<VersionAnswer>('/version');
      await follow(
        parser,
        () => {
          tries = 0;
          setLink('live');
          refresh('all');
        },
        take,
      );
      setLink('lost', 'the balancer closed the connection');
    } catch (error) {
      failed(error);
    }
    store.history.gap();
    store.beat.value += 1;
    const wait = retryMs[Math.min(tries, retryMs.length - 1)] ?? 0;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, wait);
      retry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

// Tries the stream now: a token was given.
export function reconnect(): void {
  setLink('connecting');
  retry();
}

export function startLive(): void {
  setInterval(() => {
    if (!document.hidden) store.nowMs.value = Date.now();
  }, 1000);
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) return;
    store.nowMs.value = Date.now();
    store.beat.value += 1;
    refresh();
  });
  view.subscribe(() => refresh());
  void keepAsking();
  void keepFollowing();
}
