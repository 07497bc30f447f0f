// How two configurations, as they are printed, differ.
type Plain = Record<string, unknown>;

export interface Difference {
  // `pools.web.backends[127.0.0.1:9001].weight`
  readonly path: string;
  readonly kind: 'added' | 'removed' | 'changed';
  readonly before?: unknown;
  readonly after?: unknown;
}

const isPlain = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

// What names an item of a list: its order is not a difference.
function keyOf(item: unknown): string {
  if (!isPlain(item)) return String(item);
  if (typeof item.address === 'string') return item.address;
  const { hosts, pathPrefix } = item as { hosts?: readonly string[]; pathPrefix?: string };
  return `${hosts?.join(',') ?? '*'}${pathPrefix ?? '/'}`;
}
const keyed = (list: readonly unknown[]): Plain =>
  Object.fromEntries(list.map((item) => [keyOf(item), isPlain(item) ? item : { address: item }]));

// Between two plain configurations, in the order of the paths.
export function differences(before: unknown, after: unknown, path = ''): Difference[] {
  if (before === undefined && after === undefined) return [];
  if (before === undefined) return [{ path, kind: 'added', after }];
  if (after === undefined) return [{ path, kind: 'removed', before }];
  if (Array.isArray(before) && Array.isArray(after)) {
    return within(keyed(before), keyed(after), (key) => `${path}[${key}]`);
  }
  if (isPlain(before) && isPlain(after)) {
    return within(before, after, (key) => (path === '' ? key : `${path}.${key}`));
  }
  return before === after ? [] : [{ path, kind: 'changed', before, after }];
}

function within(before: Plain, after: Plain, pathOf: (key: string) => string): Difference[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys.flatMap((key) => differences(before[key], after[key], pathOf(key)));
}
