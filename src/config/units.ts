// Durations and sizes as people write them.

const durationUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const sizeUnits = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

// Patterns for editors; the functions below are what decides.
export const durationPattern = '^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d))+$';
export const sizePattern = '^[0-9]+(\\.[0-9]+)?(B|KiB|MiB|GiB)$';

export const durationExpected = "a duration like '500ms', '5s' or '1m30s', at most 24 days";
export const sizeExpected = "a size like '512B', '16KiB' or '1.5MiB'";

// Timers of Node and of the data plane hold 31 bits of milliseconds.
export const durationMaxMs = 2 ** 31 - 1;

// Milliseconds, rounded; undefined when the text is not a duration.
export function parseDuration(text: string): number | undefined {
  if (!new RegExp(durationPattern).test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/([0-9.]+)(ms|s|m|h|d)/g)) {
    total += Number(amount) * durationUnits[unit as keyof typeof durationUnits];
  }
  const rounded = Math.round(total);
  return rounded <= durationMaxMs ? rounded : undefined;
}

// Bytes, rounded; undefined when the text is not a size.
export function parseSize(text: string): number | undefined {
  const found = new RegExp(sizePattern).exec(text);
  if (found === null) return undefined;
  const amount = Number.parseFloat(text);
  const bytes = Math.round(amount * sizeUnits[found[2] as keyof typeof sizeUnits]);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

const textOf = (value: number, units: Readonly<Record<string, number>>): string => {
  const fitting = Object.entries(units).filter(([, unit]) => value % unit === 0);
  const [name = '', unit = 1] = fitting.at(-1) ?? [];
  return `${value / unit}${name}`;
};

// In the largest unit of which it is a whole number.
export const durationText = (ms: number): string => textOf(ms, durationUnits);
export const sizeText = (bytes: number): string => textOf(bytes, sizeUnits);
