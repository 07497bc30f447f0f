// Which view is open: the part of the address behind `#/`, so that back, forward and bookmarks work
// and the server needs to know of one page only.
import { signal } from '@preact/signals';
import { type View, views } from './view-names.ts';

const read = (): View => {
  const name = location.hash.replace(/^#\/?/, '');
  return views.find(([view]) => view === name)?.[0] ?? 'overview';
};

export const view = signal<View>(read());

export const hrefOf = (name: View): string => `#/${name}`;

export function open(name: string): void {
  location.hash = `#/${name}`;
}

export function watchLocation(changed: () => void): void {
  addEventListener('hashchange', () => {
    const next = read();
    if (next === view.value) return;
    view.value = next;
    changed();
  });
}
