// Figures as people read them.

const scaled = (value: number, units: readonly string[], step: number): string => {
  let left = value;
  let unit = 0;
  for (; left >= step && unit < units.length - 1; unit++) left /= step;
  const digits = unit === 0 || left >= 100 ? 0 : left >= 10 ? 1 : 2;
  return `${left.toFixed(digits)}${units[unit]}`;
};

export const bytesText = (bytes: number): string =>
  scaled(bytes, [' B', ' KiB', ' MiB', ' GiB', ' TiB', ' PiB'], 1024);

// 12345678 as 12.3M.
export const countText = (count: number): string =>
  Number.isInteger(count) && count < 100_000
    ? String(count)
    : scaled(count, ['', 'k', 'M', 'G', 'T'], 1000);

// A rate of whole things below ten has a fraction.
export const rateText = (rate: number): string =>
  rate === 0 ? '0' : rate < 10 ? rate.toFixed(1) : countText(Math.round(rate));

// Milliseconds; a dash where nothing was measured.
export function millisecondsText(ms: number | undefined): string {
  if (ms === undefined || Number.isNaN(ms)) return '-';
  if (ms < 1) return `${Math.round(ms * 1000)}µs`;
  if (ms < 10_000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)}ms`;
  return `${(ms / 1000).toFixed(1)}s`;
}

export function secondsText(seconds: number): string {
  const whole = Math.floor(seconds);
  const [days, hours] = [Math.floor(whole / 86_400), Math.floor(whole / 3600) % 24];
  const [minutes, rest] = [Math.floor(whole / 60) % 60, whole % 60];
  if (days > 0) return `${days}d ${hours}h`;
  if (hours > 0) return `${hours}h ${minutes}m`;
  return minutes > 0 ? `${minutes}m ${rest}s` : `${rest}s`;
}
