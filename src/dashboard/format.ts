// Figures as people read them: three digits that matter, and a unit. Pure.

const space = '\u00a0';
export const nothing = '–';

// Three significant digits, without an exponent.
function digits(value: number): string {
  const size = Math.abs(value);
  const places = size === 0 || size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return String(Number(value.toFixed(places)));
}

function scaled(value: number, step: number, units: readonly string[], gap: string): string {
  let rest = value;
  let unit = 0;
  while (Math.abs(rest) >= step * 0.9995 && unit < units.length - 1) {
    rest /= step;
    unit += 1;
  }
  return `${digits(rest)}${gap}${units[unit] ?? ''}`.trimEnd();
}

const isKnown = (value: number | null | undefined): value is number =>
  value !== undefined && value !== null && Number.isFinite(value);

// `12.3 k`; below ten thousand no digit of a whole number is left out.
export function count(value: number | null | undefined): string {
  if (!isKnown(value)) return nothing;
  const isShort = Math.abs(value) < 9999.5 && (Number.isInteger(value) || Math.abs(value) >= 100);
  if (isShort) return Math.round(value).toLocaleString('en-US');
  return scaled(value, 1000, ['', 'k', 'M', 'G', 'T'], space);
}

export const perSecond = (value: number | null | undefined): string =>
  isKnown(value) ? `${count(value)}/s` : nothing;

export const bytes = (value: number | null | undefined): string =>
  isKnown(value) ? scaled(value, 1000, ['B', 'kB', 'MB', 'GB', 'TB', 'PB'], space) : nothing;

export const bytesPerSecond = (value: number | null | undefined): string =>
  isKnown(value) ? `${bytes(value)}/s` : nothing;

// Of seconds: `850 µs`, `12.3 ms`, `1.2 s`.
export function latency(seconds: number | null | undefined): string {
  if (!isKnown(seconds)) return nothing;
  if (seconds === 0) return `0${space}ms`;
  if (seconds >= 1) return `${digits(seconds)}${space}s`;
  return scaled(seconds * 1e6, 1000, ['µs', 'ms'], space);
}

// Of a share between 0 and 1.
export function percent(share: number | null | undefined): string {
  if (!isKnown(share)) return nothing;
  const value = share * 100;
  if (value > 0 && value < 0.01) return `<0.01${space}%`;
  return `${digits(value)}${space}%`;
}

// The two largest units of a duration: `3d 4h`, `5m 12s`.
export function duration(seconds: number | null | undefined): string {
  if (!isKnown(seconds)) return nothing;
  const whole = Math.max(0, Math.floor(seconds));
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'm'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  if (first < 0) return '0s';
  return parts
    .slice(first, first + 2)
    .filter(([value], index) => index === 0 || value > 0)
    .map(([value, unit]) => `${value}${unit}`)
    .join(' ');
}

// `12s ago` of an instant in ISO 8601.
export function ago(at: string | undefined, nowMs: number): string {
  const then = at === undefined ? Number.NaN : Date.parse(at);
  if (Number.isNaN(then)) return nothing;
  const seconds = Math.max(0, (nowMs - then) / 1000);
  return seconds < 1 ? 'just now' : `${duration(seconds)} ago`;
}

const two = (value: number): string => String(value).padStart(2, '0');

// The local time of day of an instant in milliseconds.
export function clock(ms: number): string {
  const at = new Date(ms);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

// `connect_refused` as words.
export const words = (name: string): string => name.replaceAll('_', ' ');

export const plural = (amount: number, one: string, many = `${one}s`): string =>
  `${count(amount)} ${amount === 1 ? one : many}`;
