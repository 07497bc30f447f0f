// What keys mean outside of fields: one key, or `g` and another within a second. Pure but for what
// it holds.

export type Command =
  | { readonly do: 'open'; readonly view: string }
  | { readonly do: 'search' | 'help' | 'theme' };

export const shortcuts: readonly (readonly [keys: string, what: string])[] = [
  ['g o', 'Overview'],
  ['g r', 'Routes'],
  ['g p', 'Pools and backends'],
  ['g c', 'Containers'],
  ['g e', 'Events'],
  ['/', 'Search in this view'],
  ['t', 'Light, dark, or as the system'],
  ['?', 'This list'],
  ['Esc', 'Leave the search, close a dialog'],
];

const views: Readonly<Record<string, string>> = {
  o: 'overview',
  r: 'routes',
  p: 'pools',
  c: 'containers',
  e: 'events',
};
const withinMs = 1000;

export class Keys {
  #leaderAtMs = Number.NEGATIVE_INFINITY;

  press(key: string, atMs: number): Command | undefined {
    const isSecond = atMs - this.#leaderAtMs <= withinMs;
    this.#leaderAtMs = key === 'g' ? atMs : Number.NEGATIVE_INFINITY;
    const view = isSecond ? views[key] : undefined;
    if (view !== undefined) return { do: 'open', view };
    if (key === '/') return { do: 'search' };
    if (key === '?') return { do: 'help' };
    return key === 't' ? { do: 'theme' } : undefined;
  }
}
