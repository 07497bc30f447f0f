// What the admin API answers. Pure: a request's method and target in, an answer out.
import type { HealthReport } from '../metrics/health.ts';
import { type Answer, problem } from './problem.ts';

// The part of a balancer that the admin API reads.
export interface AdminSource {
  health(): HealthReport;
  // Prometheus text.
  metrics(): string;
}

type Read = (source: AdminSource) => Answer;

function health(source: AdminSource): Answer {
  const report = source.health();
  return {
    status: report.status === 'healthy' ? 200 : 503,
    type: 'application/json',
    body: `${JSON.stringify(report)}\n`,
  };
}

const metrics: Read = (source) => ({
  status: 200,
  type: 'text/plain; version=0.0.4; charset=utf-8',
  body: source.metrics(),
});

const routes: ReadonlyMap<string, Read> = new Map([
  ['/health', health],
  ['/metrics', metrics],
]);

export function answer(method: string, target: string, source: AdminSource): Answer {
  const path = target.split('?', 1)[0] ?? '';
  const read = routes.get(path);
  if (read === undefined) {
    return problem(404, `there is nothing here; there is ${[...routes.keys()].join(' and ')}`);
  }
  if (method !== 'GET' && method !== 'HEAD') {
    return problem(405, `${path} is read only`, { headers: { allow: 'GET, HEAD' } });
  }
  return read(source);
}
