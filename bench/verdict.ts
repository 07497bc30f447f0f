// From samples to verdicts: pairwise ratios, their median, and the limit they meet or miss.
import { type ContenderName, contenderNames, type Engine, engineOf } from './peers.ts';
import type { Limit, Row, Sample } from './row.ts';

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Verdict {
  readonly engine: Engine;
  readonly against: string;
  readonly measured: Spread;
  readonly bound: Limit['bound'];
  readonly limit: number;
  readonly result: 'met' | 'missed' | 'not saturated' | 'disturbed';
}

export const saturatedShare = 0.95;
// More of the balancer's CPU used by others than this, and a round is called disturbed.
export const disturbedShare = 0.05;

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  const median = (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2;
  return { median, min: at(0), max: at(sorted.length - 1) };
}

export const samplesOf = (samples: readonly Sample[], name: ContenderName): Sample[] =>
  samples.filter(({ contender }) => contender === name);

const isSaturated = (samples: readonly Sample[], name: ContenderName): boolean =>
  spread(samplesOf(samples, name).map((sample) => sample.balancerShare)).median >= saturatedShare;

const isDisturbed = (samples: readonly Sample[], name: ContenderName): boolean =>
  spread(samplesOf(samples, name).map((sample) => sample.othersShare)).median > disturbedShare;

export function verdictsOf(row: Row, samples: readonly Sample[]): Verdict[] {
  const verdicts: Verdict[] = [];
  for (const name of contenderNames) {
    const engine = engineOf(name);
    const own = samplesOf(samples, name);
    if (engine === undefined || own.length === 0) continue;
    for (const limit of row.limits) {
      const peers = limit.against.filter((peer) => samplesOf(samples, peer).length > 0);
      if (peers.length < limit.against.length) continue; // a part of the better is not the better
      const measured = spread(own.map((sample) => figure(row, limit, sample, samples)));
      const bound = limit.limits[engine];
      const met = limit.bound === 'at least' ? measured.median >= bound : measured.median <= bound;
      const all = [name, ...peers];
      // Rest only raises what work costs: a limit that sluice meets without saturation is met.
      const saturated =
        peers.every((peer) => isSaturated(samples, peer)) &&
        (isSaturated(samples, name) || (limit.kind === 'ratio' && met));
      const disturbed = all.some((one) => isDisturbed(samples, one));
      verdicts.push({
        engine,
        against: nameOf(limit.kind, peers),
        measured,
        bound: limit.bound,
        limit: bound,
        result:
          row.needs === 'saturation' && !saturated
            ? 'not saturated'
            : row.needs === 'quiet' && disturbed
              ? 'disturbed'
              : met
                ? 'met'
                : 'missed',
      });
    }
  }
  return verdicts;
}

function nameOf(kind: Limit['kind'], peers: readonly ContenderName[]): string {
  if (kind === 'baseline') return 'TCP backends';
  if (kind === 'worker') return 'its worker without a log';
  return peers.length > 1 ? `the better of ${peers.join(' and ')}` : (peers[0] ?? '');
}

function figure(row: Row, limit: Limit, own: Sample, samples: readonly Sample[]): number {
  if (limit.kind === 'value') return own.value;
  if (limit.kind === 'baseline') return own.value / (own.baseline ?? Number.NaN);
  if (limit.kind === 'worker') {
    const { logging = Number.NaN, silent = Number.NaN } = own.workerCosts ?? {};
    return logging / silent;
  }
  const peers = samples
    .filter(({ contender, round }) => limit.against.includes(contender) && round === own.round)
    .map(({ value }) => value);
  const best = row.better === 'more' ? Math.max(...peers) : Math.min(...peers);
  return own.value / best;
}
