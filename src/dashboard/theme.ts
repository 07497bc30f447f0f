// Light, dark, or as the system says. The choice stays in the browser; the colours are the style
// sheet's (`light-dark()`), so setting the scheme is all there is to do.
import { signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';
const order: readonly Theme[] = ['system', 'light', 'dark'];
const key = 'sluice-theme';

const stored = (): Theme => order.find((name) => name === localStorage.getItem(key)) ?? 'system';

export const theme = signal<Theme>(stored());
// Counts the changes of what is seen; charts are painted, and must be painted anew.
export const painted = signal(0);

function paint(): void {
  if (theme.value === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme.value;
  painted.value += 1;
}

export function startTheme(): void {
  paint();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paint);
}

export function nextTheme(): void {
  theme.value = order[(order.indexOf(theme.value) + 1) % order.length] ?? 'system';
  localStorage.setItem(key, theme.value);
  paint();
}

// What a custom property of the style sheet comes out as, for a canvas.
export function colourOf(name: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
