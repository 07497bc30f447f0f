// The text format of Prometheus, version 0.0.4: families of samples, each with one help and type.

export type MetricType = 'counter' | 'gauge' | 'histogram';
export type Labels = Readonly<Record<string, string | number>>;

export const escapeLabel = (value: string): string =>
  value.replace(/[\\\n"]/g, (found) => (found === '\n' ? '\\n' : `\\${found}`));
const escapeHelp = (text: string): string =>
  text.replace(/[\\\n]/g, (found) => (found === '\n' ? '\\n' : '\\\\'));

export function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? '+Inf' : '-Inf';
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels);
  if (pairs.length === 0) return '';
  return `{${pairs.map(([name, value]) => `${name}="${escapeLabel(String(value))}"`).join(',')}}`;
}

interface Family {
  readonly type: MetricType;
  readonly help: string;
  readonly samples: string[];
}

export interface HistogramSample {
  readonly bounds: readonly number[]; // ascending, in base units
  readonly cumulative: readonly number[]; // values at or below each bound
  readonly count: number;
  readonly sum: number;
}

// Collects samples in any order and prints each family as one block, in the order of first use.
export class Exposition {
  readonly #families = new Map<string, Family>();

  add(name: string, type: MetricType, help: string, labels: Labels, value: number): void {
    const { samples } = this.#family(name, type, help);
    samples.push(`${name}${labelText(labels)} ${numberText(value)}`);
  }

  addHistogram(name: string, help: string, labels: Labels, histogram: HistogramSample): void {
    const { samples } = this.#family(name, 'histogram', help);
    const bucket = (le: string, value: number): void => {
      samples.push(`${name}_bucket${labelText({ ...labels, le })} ${numberText(value)}`);
    };
    for (const [index, bound] of histogram.bounds.entries()) {
      bucket(numberText(bound), histogram.cumulative[index] ?? 0);
    }
    bucket('+Inf', histogram.count);
    samples.push(`${name}_sum${labelText(labels)} ${numberText(histogram.sum)}`);
    samples.push(`${name}_count${labelText(labels)} ${numberText(histogram.count)}`);
  }

  text(): string {
    const lines: string[] = [];
    for (const [name, { type, help, samples }] of this.#families) {
      lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`, ...samples);
    }
    return `${lines.join('\n')}\n`;
  }

  #family(name: string, type: MetricType, help: string): Family {
    let family = this.#families.get(name);
    if (family === undefined) {
      family = { type, help, samples: [] };
      this.#families.set(name, family);
    }
    return family;
  }
}
