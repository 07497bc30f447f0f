import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { histogramsOf, samplesOf } from '../../../src/metrics/families.ts';
import { bucketBounds, renderPrometheus } from '../../../src/metrics/prometheus.ts';
import { Exposition, escapeLabel, numberText } from '../../../src/metrics/text.ts';
import { bucketOf } from '../../../src/shm/histogram.ts';
import { EngineKind, WorkerState } from '../../../src/shm/layout.gen.ts';
import type { MetricsView } from '../../../src/shm/read.ts';
import { FakeRegion } from '../../fixtures/fake-region.ts';
import { Metrics } from '../../fixtures/prometheus-text.ts';

// Two workers; listener, pool and backend of incarnation 7, in slots 3, 2 and 5.
function twoWorkers(): FakeRegion {
  const fake = new FakeRegion(2);
  for (const worker of [0, 1]) {
    fake.putAll(worker, 'worker', 0, {
      state: WorkerState.running,
      engine: EngineKind.io_uring,
      adopted: 9 << 3,
      heartbeat: fake.nowNs - 125_000_000n,
      connections: 4 + worker,
      acceptedTotal: 100,
      acceptErrorsMemory: worker,
    });
    fake.putAll(worker, 'workerListener', 3, {
      incarnation: 7,
      connections: 2,
      connectionsTotal: 10 + worker,
      receivedBytesTotal: 2n ** 40n,
    });
    fake.putAll(worker, 'workerPool', 2, {
      incarnation: 7,
      connections: 2,
      connectionsTotal: 21,
      connectRefusedTotal: 1,
      toBackendBytesTotal: 512,
    });
    fake.putAll(worker, 'workerBackend', 5, {
      incarnation: 7,
      connectionsTotal: 40,
      connectTimeSum: 2_500_000,
    });
    fake.put(worker, 'workerInFlight', 5, 'count', 1);
  }
  return fake;
}

function viewOf(
  fake: FakeRegion,
  backend = '10.0.0.1:80',
  mode: 'tcp' | 'http' = 'http',
): MetricsView {
  const place = { incarnation: 7 };
  return {
    version: '1.2.3',
    sequence: 9,
    startedAtMs: 1_700_000_000_500,
    applies: { succeeded: 3, failed: 1, lastSucceeded: false, lastSuccessMs: 1_700_000_001_000 },
    reader: fake.reader,
    listeners: [
      {
        name: 'in',
        mode,
        slot: 3,
        ...place,
        routes: [
          { host: 'a.example', pathPrefix: '/x', pool: 'web', slot: 8, ...place },
          { host: '', pathPrefix: '', pool: 'web', slot: 9, ...place },
        ],
      },
    ],
    pools: [
      {
        name: 'web',
        strategy: 'p2c',
        takesRequests: mode === 'http',
        slot: 2,
        ...place,
        backends: [
          {
            id: backend,
            address: backend,
            slot: 5,
            ...place,
            state: 'draining',
            health: 'unknown',
            check: undefined,
            ejection: undefined,
            weight: 3,
            removing: false,
            inFlight: fake.reader.inFlight(5),
          },
        ],
      },
    ],
  };
}

describe('providers', () => {
  it('tell whether they answer', () => {
    const figures = { provider: 'docker', connected: true, errors: 2, lastSyncMs: 1_500 };
    const metrics = new Metrics(renderPrometheus(viewOf(twoWorkers()), [figures]));
    const labels = { provider: 'docker' };
    expect(metrics.one('sluice_provider_up', labels)).toBe(1);
    expect(metrics.one('sluice_provider_errors_total', labels)).toBe(2);
    expect(metrics.one('sluice_provider_last_sync_timestamp_seconds', labels)).toBe(1.5);
  });
});

const render = (fake: FakeRegion): Metrics => new Metrics(renderPrometheus(viewOf(fake)));

describe('the text of Prometheus', () => {
  it('says how applying configurations went', () => {
    const metrics = render(twoWorkers());
    expect(metrics.one('sluice_config_applies_total', { result: 'success' })).toBe(3);
    expect(metrics.one('sluice_config_applies_total', { result: 'failure' })).toBe(1);
    expect(metrics.one('sluice_config_last_apply_success')).toBe(0);
    const at = 'sluice_config_last_apply_success_timestamp_seconds';
    expect(metrics.one(at)).toBe(1_700_000_001);
  });

  it('escapes labels', () => {
    expect(escapeLabel('a"b\\c\nd')).toBe('a\\"b\\\\c\\nd');
    const id = 'unix:/run/"odd\\".sock';
    const metrics = new Metrics(renderPrometheus(viewOf(twoWorkers(), id)));
    expect(metrics.labels('sluice_backend_up', 'backend')).toEqual([id]);
  });

  it('writes numbers that Prometheus reads', () => {
    expect([1, 0.25, Number.NaN, Number.POSITIVE_INFINITY, -1 / 0].map(numberText)).toEqual([
      '1',
      '0.25',
      'NaN',
      '+Inf',
      '-Inf',
    ]);
  });

  it('keeps the samples of a family together', () => {
    const out = new Exposition();
    out.add('a', 'gauge', 'A.', { x: 1 }, 1);
    out.add('b', 'counter', 'B.', {}, 2);
    out.add('a', 'gauge', 'A.', { x: 2 }, 3);
    const lines = out.text().split('\n');
    expect(lines[2]).toBe('a{x="1"} 1');
    expect(lines[3]).toBe('a{x="2"} 3');
  });

  it('satisfies promtool', () => {
    const text = renderPrometheus(viewOf(twoWorkers()));
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: text,
      encoding: 'utf8',
    });
    expect(stdout + stderr).toBe('');
    expect(status).toBe(0);
  });
});

describe('metrics', () => {
  it('name version, engine and generation', () => {
    const metrics = render(twoWorkers());
    const build = { version: '1.2.3', engine: 'io_uring' };
    expect(metrics.one('sluice_build_info', build)).toBe(1);
    expect(metrics.one('sluice_config_generation')).toBe(9);
    expect(metrics.one('sluice_start_time_seconds')).toBe(1_700_000_000.5);
  });

  it('sum what the workers counted', () => {
    const metrics = render(twoWorkers());
    expect(metrics.one('sluice_listener_connections_total', { listener: 'in' })).toBe(21);
    expect(metrics.one('sluice_listener_connections_active', { listener: 'in' })).toBe(4);
    expect(metrics.one('sluice_listener_received_bytes_total')).toBe(2 ** 41);
    expect(metrics.one('sluice_pool_connections_total', { pool: 'web' })).toBe(42);
    expect(metrics.one('sluice_pool_sent_bytes_total', { pool: 'web' })).toBe(1024);
    expect(metrics.one('sluice_pool_errors_total', { reason: 'connect_refused' })).toBe(2);
    expect(metrics.one('sluice_backend_connections_total')).toBe(80);
    expect(metrics.one('sluice_backend_connections_active')).toBe(2);
    expect(metrics.one('sluice_backend_connect_seconds_total')).toBe(5);
  });

  it('leave out the counts of a slot’s former use', () => {
    const fake = twoWorkers();
    fake.put(1, 'workerPool', 2, 'incarnation', 6);
    expect(render(fake).one('sluice_pool_connections_total')).toBe(21);
  });

  it('tell the workers apart', () => {
    const metrics = render(twoWorkers());
    expect(metrics.one('sluice_worker_connections_active', { worker: '1' })).toBe(5);
    expect(metrics.one('sluice_worker_heartbeat_age_seconds', { worker: '0' })).toBe(0.125);
    expect(metrics.one('sluice_worker_state', { worker: '0', state: 'running' })).toBe(1);
    expect(metrics.sum('sluice_worker_state', { worker: '0' })).toBe(1);
    const memory = { worker: '1', reason: 'memory' };
    expect(metrics.one('sluice_worker_accept_errors_total', memory)).toBe(1);
    expect(metrics.one('sluice_worker_config_generation', { worker: '1' })).toBe(9);
  });

  it('say what a backend is told and what probes found', () => {
    const metrics = render(twoWorkers());
    expect(metrics.one('sluice_backend_up')).toBe(0);
    expect(metrics.one('sluice_backend_state', { state: 'draining' })).toBe(1);
    expect(metrics.one('sluice_backend_health', { state: 'unknown' })).toBe(1);
    expect(metrics.one('sluice_backend_weight')).toBe(3);
  });

  it('have a family for every counter and gauge of the schema', () => {
    const metrics = render(twoWorkers());
    const blocks = [
      'worker',
      'workerListener',
      'workerRoute',
      'workerPool',
      'workerBackend',
    ] as const;
    for (const block of blocks) {
      for (const { name, type } of samplesOf(block)) {
        expect(metrics.types.get(name), name).toBe(type);
        expect(name.endsWith('_total'), name).toBe(type === 'counter');
      }
    }
    const histograms = blocks.flatMap(histogramsOf);
    expect(histograms).toHaveLength(7);
    for (const { name } of histograms) expect(metrics.types.get(name), name).toBe('histogram');
  });

  it('count requests by listener, route, pool and backend', () => {
    const fake = twoWorkers();
    for (const worker of [0, 1]) {
      fake.putAll(worker, 'workerListener', 3, { requests2xxTotal: 4, answered404Total: 2 });
      fake.putAll(worker, 'workerRoute', 8, { incarnation: 7, requests3xxTotal: 5 });
      fake.putAll(worker, 'workerRoute', 9, { incarnation: 7, requestsInFlight: 1 });
      fake.putAll(worker, 'workerPool', 2, { responseInvalidTotal: 3, requestsTotal: 6 });
      fake.putAll(worker, 'workerBackend', 5, { idleConnections: 2, requestsTotal: 9 });
    }
    const metrics = render(fake);
    const class2 = { listener: 'in', status: '2xx' };
    expect(metrics.one('sluice_listener_responses_total', class2)).toBe(8);
    expect(metrics.one('sluice_listener_answers_total', { status: '404' })).toBe(4);
    expect(metrics.sum('sluice_listener_answers_total')).toBe(4);
    const route = { listener: 'in', host: 'a.example', path: '/x' };
    expect(metrics.one('sluice_route_responses_total', { ...route, status: '3xx' })).toBe(10);
    expect(metrics.one('sluice_route_requests_active', { host: '*', path: '/' })).toBe(2);
    expect(metrics.one('sluice_pool_errors_total', { reason: 'response_invalid' })).toBe(6);
    expect(metrics.one('sluice_pool_requests_total')).toBe(12);
    expect(metrics.one('sluice_backend_connections_idle')).toBe(4);
    expect(metrics.one('sluice_backend_requests_total')).toBe(18);
  });

  it('say nothing of requests where there are none', () => {
    const text = renderPrometheus(viewOf(twoWorkers(), 'b', 'tcp'));
    const types = [...new Metrics(text).types.keys()];
    expect(types.filter((name) => /route|request|response|answer|idle|reused/.test(name))).toEqual(
      [],
    );
    expect(text).not.toContain('reason="response_');
    expect(types).toContain('sluice_pool_connections_total');
  });
});

describe('histograms', () => {
  it('count each latency at or below its bounds, within a bucket’s width', () => {
    const fake = twoWorkers();
    const microseconds = [3, 90, 400, 40_000, 900_000, 60_000_000];
    for (const [index, value] of microseconds.entries()) {
      fake.put(index % 2, 'workerPool', 2, 'duration', 1, bucketOf(value));
    }
    fake.put(0, 'workerPool', 2, 'durationSum', 900_403);
    fake.put(1, 'workerPool', 2, 'durationSum', 60_040_090);
    const metrics = render(fake);
    const name = 'sluice_pool_connection_duration_seconds';
    const at = (le: string): number => metrics.one(`${name}_bucket`, { le });
    expect(at('0.0001')).toBe(2);
    expect(at('0.0005')).toBe(3);
    expect(at('0.05')).toBe(4);
    expect(at('1')).toBe(5);
    expect(at('10')).toBe(5);
    expect(at('+Inf')).toBe(6);
    expect(metrics.one(`${name}_count`)).toBe(6);
    expect(metrics.one(`${name}_sum`)).toBeCloseTo(60.940493, 6);
  });

  it('have the bounds of OpenTelemetry and finer ones, ascending', () => {
    expect(bucketBounds[0]).toBe(0.0001);
    expect(bucketBounds.at(-1)).toBe(10);
    expect([...bucketBounds].sort((a, b) => a - b)).toEqual(bucketBounds);
  });
});
