// Entity tags of what is stated: two answers with the same tag may differ in their figures, never
// in what can be written. RFC 9110 8.8.3, 13.1.
import { createHash } from 'node:crypto';
import { Refusal } from './problem.ts';
import type { AdminSource } from './source.ts';

function tagOf(value: unknown): string {
  // Maps and sets are written as lists.
  const text = JSON.stringify(value, (_, one: unknown) =>
    one instanceof Map || one instanceof Set ? [...one] : one,
  );
  return `"${createHash('sha256')
    .update(text ?? '')
    .digest('base64url')
    .slice(0, 22)}"`;
}

// What people asked of a pool's backends, live words included.
const wishes = (source: AdminSource, pool: string) =>
  source
    .view()
    .pools.find(({ name }) => name === pool)
    ?.backends.map(({ id, state, weight, removing }) => [id, state === 'up', weight, removing]);

// undefined where there is none of the name.
export function listenerTag(source: AdminSource, name: string): string | undefined {
  const listener = source.model.listeners.get(name);
  return listener === undefined ? undefined : tagOf(listener);
}

export const backendsTag = (source: AdminSource, pool: string): string =>
  tagOf(wishes(source, pool));

export const backendTag = (source: AdminSource, pool: string, backend: string): string =>
  tagOf(wishes(source, pool)?.filter(([id]) => id === backend));

export function poolTag(source: AdminSource, name: string): string | undefined {
  const pool = source.model.pools.get(name);
  return pool === undefined ? undefined : tagOf([pool.settings, wishes(source, name)]);
}

export function configTag(source: AdminSource): string {
  const { settings, listeners, pools } = source.model;
  return tagOf([settings, listeners, [...pools.keys()].map((name) => poolTag(source, name))]);
}

const isListed = (field: string, tag: string): boolean =>
  field.split(',').some((one) => one.trim() === tag);

// Throws 412 when the fields of a write name another state than the one in force. `tag`: of the
// resource; undefined when there is none yet.
export function checkPreconditions(
  source: AdminSource,
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  tag: string | undefined,
): void {
  const match = headers['if-match'];
  const noneMatch = headers['if-none-match'];
  if (typeof match === 'string') {
    const fits =
      match.trim() === '*'
        ? tag !== undefined
        : (tag !== undefined && isListed(match, tag)) || isListed(match, configTag(source));
    if (!fits) throw new Refusal(412, 'If-Match: this was changed since; read it again');
  }
  if (typeof noneMatch === 'string' && tag !== undefined) {
    const found = noneMatch.trim() === '*' || isListed(noneMatch, tag);
    if (found) throw new Refusal(412, 'If-None-Match: this exists already');
  }
}
