// The tables on stdout and the file of results.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ContenderName, contenderNames } from './peers.ts';
import type { Row, Sample } from './row.ts';
import {
  disturbedShare,
  samplesOf,
  saturatedShare,
  spread,
  type Verdict,
  verdictsOf,
} from './verdict.ts';

export function printRow(row: Row, samples: readonly Sample[]): void {
  console.log(`\n${row.name}: ${row.title}\n  ${row.unit}: median (min to max)`);
  const lines = [['', '', 'p99 µs', 'balancer CPU', 'load busy', 'note']];
  for (const name of contenderNames) {
    const own = samplesOf(samples, name);
    if (own.length > 0) lines.push(lineOf(row, name, own));
  }
  printColumns(lines);
  printColumns(
    verdictsOf(row, samples).map((verdict) => [
      `${verdict.engine}${verdict.against === '' ? '' : ` vs ${verdict.against}`}`,
      describe(verdict),
      `limit ${verdict.bound} ${verdict.limit}`,
      verdict.result,
    ]),
  );
}

function lineOf(row: Row, name: ContenderName, samples: readonly Sample[]): string[] {
  const median = (of: (sample: Sample) => number): number => spread(samples.map(of)).median;
  const value = spread(samples.map((sample) => sample.value));
  // What is shown may be the inverse of the figure, so sort again.
  const [low, high] = [row.show(value.min), row.show(value.max)].sort(
    (a, b) => Number(a) - Number(b),
  );
  const disturbed = samples.filter((sample) => sample.othersShare > disturbedShare).length;
  const share = median((sample) => sample.balancerShare);
  const bytes = (part: 'engine' | 'process'): string =>
    median((sample) => sample.memory?.[part] ?? 0).toFixed(0);
  const notes = [
    row.needs === 'saturation' && share < saturatedShare ? 'not saturated' : '',
    disturbed > 0 ? `${disturbed} of ${samples.length} rounds disturbed by others` : '',
    baselineNote(row, samples),
    samples[0]?.memory === undefined
      ? ''
      : `engine ${bytes('engine')}, process ${bytes('process')}`,
  ];
  const timed = row.load.mode !== 'idle';
  return [
    name,
    `${row.show(value.median)} (${low} to ${high})`,
    timed ? median((sample) => sample.load.p99_us).toFixed(0) : '',
    timed ? percent(share) : '',
    timed && row.wrk !== true ? percent(median((sample) => sample.load.load_busy)) : '',
    notes.filter((note) => note !== '').join('; '),
  ];
}

function baselineNote(row: Row, samples: readonly Sample[]): string {
  if (samples[0]?.baseline === undefined) return '';
  const { median } = spread(samples.map(({ baseline = Number.NaN }) => baseline));
  return `${row.logs === true ? 'without log' : 'TCP'} ${row.show(median)}`;
}

const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;

function describe({ measured, against }: Verdict): string {
  const show = (value: number): string => (against === '' ? value.toFixed(0) : value.toFixed(2));
  return `${show(measured.median)} (${show(measured.min)} to ${show(measured.max)})`;
}

function printColumns(lines: readonly (readonly string[])[]): void {
  const widths = (lines[0] ?? []).map((_, i) =>
    Math.max(...lines.map((line) => (line[i] ?? '').length)),
  );
  for (const line of lines) {
    console.log(`  ${line.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd());
  }
}

export interface Report {
  readonly machine: string;
  readonly small: boolean;
  readonly versions: Readonly<Partial<Record<ContenderName, string>>>;
  readonly rows: readonly { readonly row: Row; readonly samples: readonly Sample[] }[];
}

// Returns the path of the file.
export function writeReport(root: string, report: Report): string {
  const directory = join(root, 'bench/results');
  mkdirSync(directory, { recursive: true });
  const time = new Date().toISOString().replace(/[:.]/g, '-');
  const file = join(directory, `${time}${report.small ? '-small' : ''}.json`);
  const rows = report.rows.map(({ row, samples }) => ({
    name: row.name,
    title: row.title,
    unit: row.unit,
    samples,
    verdicts: verdictsOf(row, samples),
  }));
  writeFileSync(file, `${JSON.stringify({ ...report, rows }, null, 1)}\n`);
  return file;
}
