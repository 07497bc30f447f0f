// `/metrics`: everything the workers count, summed over them, and what the balancer is told to be.

import type {
  AccessLogReport,
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
const healthStates = ['unknown', 'healthy', 'unhealthy'] as const;

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

export const takesNewWork = ({ state, health, weight }: BackendView): boolean =>
  state === 'up' && health !== 'unhealthy' && weight > 0;

function addBackend(out: Exposition, view: MetricsView, pool: PoolView, backend: BackendView) {
  const { state, health, weight, inFlight } = backend;
  const labels = { pool: pool.name, backend: backend.id };
  const gauge = (name: string, help: string, value: number): void =>
    out.add(`sluice_backend_${name}`, 'gauge', help, labels, value);
  gauge('up', 'Whether the backend takes new connections.', takesNewWork(backend) ? 1 : 0);
  const intent = 'What the backend was told: drained has no connections left.';
  addStates(out, 'sluice_backend_state', intent, labels, backendStates, state);
  const found = 'What probes found.';
  addStates(out, 'sluice_backend_health', found, labels, healthStates, health, 'health');
  gauge('weight', 'Share of new connections.', weight);
  gauge('connections_active', 'Connections open now.', inFlight);
  const totals = view.reader.backend(backend.slot, backend.incarnation);
  addTotals(out, chosen(backendSamples, pool.takesRequests), labels, totals);
}

export function renderPrometheus(view: MetricsView): string {
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
  return out.text();
}
