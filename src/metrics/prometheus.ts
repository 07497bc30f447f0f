// `/metrics`: everything the workers count, summed over them, and what the balancer is told to be.

import type {
  AccessLogReport,
  AppliesView,
  BackendView,
  Histogram,
  ListenerView,
  MetricsView,
  PoolView,
  RouteView,
  WorkerReport,
} from '../shm/read.ts';
import { type HistogramFamily, histogramsOf, type Sample, samplesOf } from './families.ts';
import { Exposition, type Labels } from './text.ts';

// Seconds: those of OpenTelemetry's HTTP metrics, and finer ones, as a balancer adds microseconds.
export const bucketBounds: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1,
  2.5, 5, 7.5, 10,
];
const microsecondBounds = bucketBounds.map((bound) => Math.round(bound * 1e6));

const workerStates = ['starting', 'running', 'draining', 'stopped', 'failed'] as const;
const backendStates = ['up', 'draining', 'drained'] as const;
const healthStates = ['unknown', 'checking', 'healthy', 'unhealthy', 'ejected'] as const;

const workerSamples = samplesOf('worker');
const listenerSamples = samplesOf('workerListener');
const listenerHistograms = histogramsOf('workerListener');
const routeSamples = samplesOf('workerRoute');
const routeHistograms = histogramsOf('workerRoute');
const poolSamples = samplesOf('workerPool');
const poolHistograms = histogramsOf('workerPool');
const backendSamples = samplesOf('workerBackend');

function addTotals(
  out: Exposition,
  samples: readonly Sample[],
  labels: Labels,
  totals: Readonly<Record<string, number>>,
): void {
  for (const { field, name, type, help, labels: own, factor } of samples) {
    const value = totals[field] ?? 0;
    // A factor of one keeps counts exact.
    out.add(name, type, help, { ...labels, ...own }, factor === 1 ? value : value * factor);
  }
}

// One sample for each state, 1 for that which holds.
function addStates<T extends string>(
  out: Exposition,
  name: string,
  help: string,
  labels: Labels,
  states: readonly T[],
  current: T,
  label = 'state',
): void {
  for (const state of states) {
    out.add(name, 'gauge', help, { ...labels, [label]: state }, state === current ? 1 : 0);
  }
}

function addWorker(out: Exposition, report: WorkerReport): void {
  const labels = { worker: report.index };
  const details = {
    ...labels,
    engine: report.engine,
    fallback: report.engineFallback,
    cpu: report.cpu === undefined ? '' : String(report.cpu),
  };
  out.add('sluice_worker_info', 'gauge', 'How a worker runs.', details, 1);
  const help = 'State of a worker.';
  addStates(out, 'sluice_worker_state', help, labels, workerStates, report.state);
  out.add(
    'sluice_worker_heartbeat_age_seconds',
    'gauge',
    'Time since the worker’s last turn; it turns at least every 0.25 s.',
    labels,
    report.heartbeatAgeMs / 1000,
  );
  out.add(
    'sluice_worker_config_generation',
    'gauge',
    'The configuration the worker follows.',
    labels,
    report.adopted,
  );
  addTotals(out, workerSamples, labels, report.totals);
}

function addAccessLog(out: Exposition, report: AccessLogReport): void {
  const counter = (name: string, help: string, labels: Labels, value: number): void =>
    out.add(`sluice_access_log_${name}`, 'counter', help, labels, value);
  counter('records_total', 'Lines written to the access log.', {}, report.written);
  const dropped = 'Requests that are missing in the access log.';
  counter('dropped_total', dropped, { reason: 'ring_full' }, report.droppedRingFull);
  counter('dropped_total', dropped, { reason: 'not_taken' }, report.droppedNotTaken);
  const failed = 'Writes to the access log that failed.';
  counter('write_errors_total', failed, {}, report.writeErrors);
}

function addHistograms(
  out: Exposition,
  families: readonly HistogramFamily[],
  labels: Labels,
  measured: Readonly<Record<string, Histogram>>,
): void {
  for (const { field, name, help } of families) {
    const histogram = measured[field];
    if (histogram === undefined) continue;
    out.addHistogram(name, help, labels, {
      bounds: bucketBounds,
      cumulative: histogram.cumulative(microsecondBounds),
      count: histogram.count,
      sum: histogram.sum / 1e6,
    });
  }
}

// Families of requests only where requests can be.
const chosen = <T extends { readonly http: boolean }>(families: readonly T[], http: boolean): T[] =>
  families.filter((family) => http || !family.http);

function addListener(out: Exposition, { reader }: MetricsView, listener: ListenerView): void {
  const { name, slot, incarnation, mode } = listener;
  const labels = { listener: name };
  const http = mode === 'http';
  addTotals(out, chosen(listenerSamples, http), labels, reader.listener(slot, incarnation));
  const histograms = chosen(listenerHistograms, http);
  if (histograms.length === 0) return;
  addHistograms(out, histograms, labels, reader.listenerHistograms(slot, incarnation));
}

function addRoute(out: Exposition, view: MetricsView, listener: string, route: RouteView): void {
  const { host, pathPrefix, slot, incarnation } = route;
  const labels = { listener, host: host || '*', path: pathPrefix || '/' };
  addTotals(out, routeSamples, labels, view.reader.route(slot, incarnation));
  addHistograms(out, routeHistograms, labels, view.reader.routeHistograms(slot, incarnation));
}

function addPool(out: Exposition, view: MetricsView, pool: PoolView): void {
  const labels = { pool: pool.name };
  const { strategy } = pool;
  out.add('sluice_pool_info', 'gauge', 'How a pool chooses.', { ...labels, strategy }, 1);
  const { slot, incarnation, takesRequests: http } = pool;
  addTotals(out, chosen(poolSamples, http), labels, view.reader.pool(slot, incarnation));
  const measured = view.reader.poolHistograms(slot, incarnation);
  addHistograms(out, chosen(poolHistograms, http), labels, measured);
}

// Where others are good. While a backend is checked for the first time, or ejected by all workers,
// it takes work for want of others only.
export const takesNewWork = (backend: BackendView, workers: number): boolean => {
  const { state, health, weight, ejection } = backend;
  const isGood = health !== 'unhealthy' && health !== 'checking';
  return state === 'up' && weight > 0 && isGood && (ejection?.workers ?? 0) < workers;
};

function addChecks(out: Exposition, labels: Labels, { check, ejection }: BackendView): void {
  const help = 'Workers that leave the backend alone now.';
  out.add('sluice_backend_ejected', 'gauge', help, labels, ejection?.workers ?? 0);
  if (check === undefined) return;
  for (const [result, count] of Object.entries(check.counts)) {
    const by = { ...labels, result };
    out.add('sluice_backend_checks_total', 'counter', 'Checks of health.', by, count);
  }
  const took = 'How long the last check took.';
  const tookSeconds = (check.last?.durationMs ?? 0) / 1000;
  out.add('sluice_backend_check_seconds', 'gauge', took, labels, tookSeconds);
  const since = 'When the last check ended, since the epoch; 0 before there was one.';
  const atSeconds = (check.last?.at.getTime() ?? 0) / 1000;
  out.add('sluice_backend_check_timestamp_seconds', 'gauge', since, labels, atSeconds);
}

function addBackend(out: Exposition, view: MetricsView, pool: PoolView, backend: BackendView) {
  const { state, health, weight, inFlight } = backend;
  const workers = view.reader.workersCount;
  const labels = { pool: pool.name, backend: backend.id };
  const gauge = (name: string, help: string, value: number): void =>
    out.add(`sluice_backend_${name}`, 'gauge', help, labels, value);
  gauge('up', 'Whether the backend takes new connections.', takesNewWork(backend, workers) ? 1 : 0);
  const intent = 'What the backend was told: drained has no connections left.';
  addStates(out, 'sluice_backend_state', intent, labels, backendStates, state);
  const found = 'What checks and traffic found.';
  addStates(out, 'sluice_backend_health', found, labels, healthStates, health);
  addChecks(out, labels, backend);
  gauge('weight', 'Share of new connections.', weight);
  gauge('connections_active', 'Connections open now.', inFlight);
  const totals = view.reader.backend(backend.slot, backend.incarnation);
  addTotals(out, chosen(backendSamples, pool.takesRequests), labels, totals);
}

// A source that changes by itself, such as a container engine.
export interface ProviderFigures {
  readonly provider: string;
  readonly connected: boolean;
  readonly errors: number;
  // Milliseconds since the epoch; undefined before the first time.
  readonly lastSyncMs: number | undefined;
}

function addProvider(out: Exposition, figures: ProviderFigures): void {
  const { provider, connected, errors, lastSyncMs } = figures;
  const up = 'Whether the source answers: 1, or 0.';
  out.add('sluice_provider_up', 'gauge', up, { provider }, connected ? 1 : 0);
  const failed = 'Failures to ask the source, or to follow it.';
  out.add('sluice_provider_errors_total', 'counter', failed, { provider }, errors);
  const name = 'sluice_provider_last_sync_timestamp_seconds';
  const last = 'When the source told its whole state last, since the epoch; 0: never.';
  out.add(name, 'gauge', last, { provider }, (lastSyncMs ?? 0) / 1000);
}

function addApplies(out: Exposition, applies: AppliesView): void {
  const name = 'sluice_config_applies_total';
  for (const result of ['success', 'failure'] as const) {
    const value = result === 'success' ? applies.succeeded : applies.failed;
    out.add(name, 'counter', 'Configurations that were taken over or refused.', { result }, value);
  }
  const last = Number(applies.lastSucceeded);
  const isLast = 'Whether the last configuration was taken over.';
  out.add('sluice_config_last_apply_success', 'gauge', isLast, {}, last);
  out.add(
    'sluice_config_last_apply_success_timestamp_seconds',
    'gauge',
    'When a configuration was last taken over, since the epoch.',
    {},
    applies.lastSuccessMs / 1000,
  );
}

export function renderPrometheus(
  view: MetricsView,
  providers: readonly ProviderFigures[] = [],
): string {
  const out = new Exposition();
  const workers = view.reader.workers();
  // Workers that fell back on their own may differ: then there is one sample for each engine.
  for (const engine of new Set(workers.map((worker) => worker.engine))) {
    const labels = { version: view.version, engine };
    out.add('sluice_build_info', 'gauge', 'Version, and engine of the workers.', labels, 1);
  }
  out.add(
    'sluice_start_time_seconds',
    'gauge',
    'Start of the balancer since the epoch.',
    {},
    view.startedAtMs / 1000,
  );
  out.add('sluice_config_generation', 'gauge', 'The published configuration.', {}, view.sequence);
  addApplies(out, view.applies);
  for (const worker of workers) addWorker(out, worker);
  addAccessLog(out, view.reader.accessLog());
  for (const listener of view.listeners) addListener(out, view, listener);
  for (const { name, mode, routes } of view.listeners) {
    if (mode !== 'http') continue;
    for (const route of routes) addRoute(out, view, name, route);
  }
  for (const pool of view.pools) addPool(out, view, pool);
  for (const pool of view.pools) {
    for (const backend of pool.backends) addBackend(out, view, pool, backend);
  }
  for (const figures of providers) addProvider(out, figures);
  return out.text();
}
