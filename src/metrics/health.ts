// `/health`: whether this balancer takes traffic, judged by the words of its workers alone.
import type { MetricsView, WorkerReport } from '../shm/read.ts';

// A worker turns at least every 250 ms. Eight turns missed is more than a busy machine explains.
export const stuckAfterMs = 2000;

export type WorkerCondition = 'ok' | 'starting' | 'stuck' | 'ending' | 'failed';

export interface WorkerHealth {
  readonly worker: number;
  readonly condition: WorkerCondition;
  readonly state: WorkerReport['state'];
  readonly engine: WorkerReport['engine'];
  readonly heartbeatAgeMs: number;
  // The configuration it follows.
  readonly generation: number;
}

export interface HealthReport {
  readonly status: 'healthy' | 'unhealthy' | 'draining';
  // Every reason why it is not healthy, in words.
  readonly reasons: readonly string[];
  readonly version: string;
  // The published configuration.
  readonly generation: number;
  readonly uptimeSeconds: number;
  readonly timestamp: string;
  readonly workers: readonly WorkerHealth[];
}

function conditionOf({ state, heartbeatAgeMs }: WorkerReport): WorkerCondition {
  if (state === 'failed') return 'failed';
  if (state === 'starting') return 'starting';
  if (state === 'stopped') return 'ending';
  if (heartbeatAgeMs > stuckAfterMs) return 'stuck';
  return state === 'draining' ? 'ending' : 'ok';
}

function reasonOf({ worker, condition, heartbeatAgeMs }: WorkerHealth): string {
  if (condition !== 'stuck') return `worker ${worker} is ${condition}`;
  return `worker ${worker} is stuck: no turn for ${Math.round(heartbeatAgeMs)} ms`;
}

export function readHealth(view: MetricsView, now: () => number = Date.now): HealthReport {
  const workers = view.reader.workers().map((report): WorkerHealth => {
    const { index, state, engine, adopted } = report;
    return {
      worker: index,
      condition: conditionOf(report),
      state,
      engine,
      heartbeatAgeMs: Math.round(report.heartbeatAgeMs),
      generation: adopted,
    };
  });
  const wrong = workers.filter(({ condition }) => condition !== 'ok');
  const ending = wrong.length > 0 && wrong.every(({ condition }) => condition === 'ending');
  return {
    status: wrong.length === 0 ? 'healthy' : ending ? 'draining' : 'unhealthy',
    reasons: wrong.map(reasonOf),
    version: view.version,
    generation: view.sequence,
    uptimeSeconds: Math.max(0, Math.round((now() - view.startedAtMs) / 1000)),
    timestamp: new Date(now()).toISOString(),
    workers,
  };
}
