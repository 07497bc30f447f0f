// When everybody has left, everything adds up: nothing is held, and what was counted agrees with
// itself and with what clients know.
import { readdirSync, readlinkSync } from 'node:fs';
import { held } from '../fixtures/http-balancers.ts';
import type { Metrics } from '../fixtures/prometheus-text.ts';
import type { Tally } from './clients.ts';

export interface Files {
  // By kind: sockets, event descriptors, files.
  readonly kinds: Readonly<Record<string, number>>;
  // Pipes of which not exactly both ends are open.
  readonly halfPipes: number;
}

// A worker keeps the pipes it made, so their number says nothing.
export function openFilesOf(pid: number): Files {
  const kinds: Record<string, number> = {};
  const pipes = new Map<string, number>();
  for (const name of readdirSync(`/proc/${pid}/fd`)) {
    const link = readlinkSync(`/proc/${pid}/fd/${name}`);
    if (link.startsWith('pipe:') && Number(name) > 2) pipes.set(link, (pipes.get(link) ?? 0) + 1);
    else if (!link.startsWith('pipe:')) {
      const kind = link.replace(/:?\[\d+\]$/, '');
      kinds[kind] = (kinds[kind] ?? 0) + 1;
    }
  }
  const halfPipes = [...pipes.values()].filter((ends) => ends !== 2).length;
  return { kinds, halfPipes };
}

// What is still held, in words; empty when everything has been given back.
export function leftovers(metrics: Metrics, now: Files, before: Files): string[] {
  const idle = metrics.sum('sluice_backend_connections_idle');
  const routed = metrics.sum('sluice_route_requests_active');
  const complaints = Object.entries({ ...held(metrics), idle, routed })
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${name} is ${value}`);
  const names = new Set([...Object.keys(now.kinds), ...Object.keys(before.kinds)]);
  for (const name of names) {
    const [has, had] = [now.kinds[name] ?? 0, before.kinds[name] ?? 0];
    if (has !== had) complaints.push(`${has} descriptors of kind ${name}, ${had} before`);
  }
  if (now.halfPipes !== before.halfPipes) complaints.push(`${now.halfPipes} pipes with one end`);
  return complaints;
}

export interface Sums {
  readonly [name: string]: number;
}

export function sumsOf(metrics: Metrics): Sums {
  const sum = (name: string, labels = {}): number => metrics.sum(`sluice_${name}`, labels);
  const reason = (name: string): number => sum('pool_errors_total', { reason: name });
  return {
    requests: sum('listener_requests_total'),
    answered: sum('listener_responses_total'),
    aborted: sum('listener_requests_aborted_total'),
    own: sum('listener_answers_total'),
    retries: sum('pool_request_retries_total'),
    timeouts: reason('response_timeout'),
    invalid: reason('response_invalid'),
    cutShort: reason('response_cut'),
    refused: reason('connect_refused'),
    removed: reason('cut'),
    upgrades: sum('listener_upgrades_total'),
    spliced: sum('worker_engine_spliced_bytes_total'),
  };
}

// What does not add up, in words.
export function audit(metrics: Metrics, tally: Tally): string[] {
  const sum = (name: string, labels = {}): number => metrics.sum(`sluice_${name}`, labels);
  const { requests = 0, answered = 0, aborted = 0, own = 0 } = sumsOf(metrics);
  const errors = sum('pool_errors_total') + sum('listener_errors_total');
  const inPools = sum('pool_requests_total');
  const good = { pool: 'good' };
  const equal: readonly (readonly [string, number, number])[] = [
    ['requests that ended', sum('listener_request_duration_seconds_count'), requests],
    ['requests of pools that ended', sum('pool_request_duration_seconds_count'), inPools],
    [
      'connections accepted',
      sum('worker_connections_accepted_total'),
      sum('listener_connections_total') +
        sum('listener_connections_rejected_total') +
        sum('worker_connections_rejected_total'),
    ],
    [
      'connections handed over',
      sum('worker_connections_handed_off_total'),
      sum('worker_connections_received_total'),
    ],
    ['upgrades', sum('listener_upgrades_total'), tally.upgrades],
    ['answers 1xx', sum('listener_responses_total', { status: '1xx' }), tally.upgrades],
    ['good answers', sum('pool_responses_total', { ...good, status: '2xx' }), tally.good],
    ['good requests', sum('pool_requests_total', good), tally.good + tally.upgrades],
    [
      'answers of good other than 1xx and 2xx',
      sum('pool_responses_total', good) -
        sum('pool_responses_total', { ...good, status: '1xx' }) -
        sum('pool_responses_total', { ...good, status: '2xx' }),
      0,
    ],
  ];
  // A request ends without a status when its client has left or its answer cannot be given; one
  // whose client leaves in the middle of an answer counts as answered and as aborted.
  const unanswered = requests - answered;
  // Those without a pool are refused or have no route: sluice answers them itself.
  const unpooled = requests - inPools;
  const within: readonly (readonly [string, number, number])[] = [
    ['requests without an answer', unanswered, aborted + errors],
    ['requests without a pool', unpooled, own],
    ['answers of pools', sum('pool_responses_total'), answered],
    ['answers of routes', sum('route_responses_total'), sum('pool_responses_total')],
  ];
  return [
    ...equal.filter(([, is, want]) => is !== want).map(([name, ...two]) => `${name}: ${two}`),
    ...within
      .filter(([, is, most]) => is < 0 || is > most)
      .map(([name, is, most]) => `${name}: ${is}, not within 0 and ${most}`),
  ];
}
