// Ten minutes of samples, one for each second, made of the differences of two `stats` answers. Pure
// but for what it holds.
import type { StatsAnswer } from '../admin/api-types.ts';

// What one sample says. Rates are per second, shares between 0 and 1, latencies seconds; null where
// there is nothing to say, as of latency without requests.
export interface Sample {
  // Seconds since 1970.
  readonly at: number;
  readonly requests: number | null;
  // Shares of requests.
  readonly serverErrors: number | null;
  readonly clientErrors: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly received: number | null;
  readonly sent: number | null;
  readonly connections: number | null;
  // New connections.
  readonly opened: number | null;
}
export type Column = keyof Sample;
export type Columns = Readonly<Record<Column, readonly (number | null)[]>>;

export const historySeconds = 600;

const unknown = {
  requests: null,
  serverErrors: null,
  clientErrors: null,
  p50: null,
  p95: null,
  p99: null,
  received: null,
  sent: null,
  connections: null,
  opened: null,
};

const secondsOf = ({ at }: StatsAnswer): number => Date.parse(at) / 1000;

// Totals never shrink but with a new start.
const isSameRun = (before: StatsAnswer, after: StatsAnswer): boolean =>
  secondsOf(after) > secondsOf(before) &&
  after.receivedBytes >= before.receivedBytes &&
  after.requests.total >= before.requests.total &&
  after.connectionsTotal >= before.connectionsTotal;

export function sampleOf(before: StatsAnswer, after: StatsAnswer): Sample {
  const seconds = secondsOf(after) - secondsOf(before);
  const rate = (read: (stats: StatsAnswer) => number): number =>
    (read(after) - read(before)) / seconds;
  const byClass = (name: string): number => rate(({ requests }) => requests.classes[name] ?? 0);
  const answered = Object.keys(after.requests.classes)
    .filter((name) => name !== '1xx')
    .reduce((sum, name) => sum + byClass(name), 0);
  const share = (name: string): number | null => (answered > 0 ? byClass(name) / answered : null);
  // Of that second already.
  const { latency } = after.requests;
  return {
    at: secondsOf(after),
    requests: rate(({ requests }) => requests.total),
    serverErrors: share('5xx'),
    clientErrors: share('4xx'),
    p50: latency?.p50 ?? null,
    p95: latency?.p95 ?? null,
    p99: latency?.p99 ?? null,
    received: rate(({ receivedBytes }) => receivedBytes),
    sent: rate(({ sentBytes }) => sentBytes),
    connections: after.connections,
    opened: rate(({ connectionsTotal }) => connectionsTotal),
  };
}

export class History {
  readonly #samples: Sample[] = [];
  #last: StatsAnswer | undefined;

  get samples(): readonly Sample[] {
    return this.#samples;
  }

  // Answers out of order, or of another run of the balancer, begin anew behind a gap.
  add(stats: StatsAnswer): void {
    if (this.#last !== undefined && !isSameRun(this.#last, stats)) this.gap();
    if (this.#last !== undefined) this.#keep(sampleOf(this.#last, stats));
    this.#last = stats;
  }

  // Nothing is known from here to the next answer.
  gap(): void {
    const last = this.#samples.at(-1);
    if (this.#last !== undefined && last !== undefined) {
      this.#keep({ at: last.at + 0.5, ...unknown });
    }
    this.#last = undefined;
  }

  // Of the last `seconds`, in the form that charts take.
  columns(names: readonly Column[], seconds: number): (number | null)[][] {
    const newest = this.#samples.at(-1)?.at ?? 0;
    const from = this.#samples.findIndex(({ at }) => at >= newest - seconds);
    const shown = from < 0 ? [] : this.#samples.slice(from);
    return names.map((name) => shown.map((sample) => sample[name]));
  }

  // The mean of the last `seconds`; null when nothing is known of them.
  mean(name: Column, seconds: number): number | null {
    const newest = this.#samples.at(-1)?.at ?? 0;
    const known = this.#samples
      .filter(({ at }) => at > newest - seconds)
      .map((sample) => sample[name])
      .filter((value) => value !== null);
    if (known.length === 0) return null;
    return known.reduce((sum, value) => sum + value, 0) / known.length;
  }

  // The newest that is known of the last `seconds`; percentiles have no mean.
  latest(name: Column, seconds: number): number | null {
    const newest = this.#samples.at(-1)?.at ?? 0;
    const found = this.#samples.findLast((sample) => sample[name] !== null);
    return found !== undefined && found.at > newest - seconds ? found[name] : null;
  }

  #keep(sample: Sample): void {
    this.#samples.push(sample);
    const oldest = sample.at - historySeconds;
    const from = this.#samples.findIndex(({ at }) => at >= oldest);
    if (from > 0) this.#samples.splice(0, from);
  }
}
