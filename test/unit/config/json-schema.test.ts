import { describe, expect, it } from 'vitest';
import { jsonSchema } from '../../../src/config/json-schema.ts';
import { parseConfig } from '../../../src/config/load.ts';
import type { Key } from '../../../src/config/paths.ts';
import { alternatives, type SchemaNode } from '../../../src/config/schema-walk.ts';

it('describes what people write', () => {
  const schema = jsonSchema() as {
    $schema: string;
    additionalProperties: boolean;
    properties: Record<string, { enum?: string[]; description?: string }>;
  };
  expect(schema.$schema).toContain('2020-12');
  expect(schema.additionalProperties).toBe(false);
  expect(schema.properties['engine']?.enum).toEqual(['auto', 'io_uring', 'epoll']);
});

interface Place {
  readonly path: readonly Key[];
  readonly node: SchemaNode;
}

const modeOf = (node: SchemaNode): unknown => node.properties?.['mode']?.const;

// Every key that may be stated, below a listener of each mode, one pool and one backend.
function placesBelow(node: SchemaNode, path: readonly Key[]): Place[] {
  return alternatives(node).flatMap((one) => {
    const at =
      path[0] === 'listeners' && path[1] === 'MODE' ? [path[0], String(modeOf(one))] : path;
    const named = path[0] === 'listeners' ? 'MODE' : 'NAME';
    const own = Object.entries(one.properties ?? {}).flatMap(([key, value]) => [
      { path: [...at, key], node: value },
      ...placesBelow(value, [...at, key]),
    ]);
    const values =
      typeof one.additionalProperties === 'object'
        ? placesBelow(one.additionalProperties, [...at, named])
        : [];
    const items = one.items === undefined ? [] : placesBelow(one.items, [...at, 0]);
    return [...own, ...values, ...items];
  });
}

const valueAt = (config: unknown, path: readonly Key[]): unknown =>
  path.reduce<unknown>((value, key) => (value as Record<Key, unknown> | undefined)?.[key], config);

// The same configuration with the value at the path; what is on the way is made.
function withValue(config: unknown, [key, ...rest]: readonly Key[], value: unknown): unknown {
  if (key === undefined) return value;
  if (typeof key === 'number') {
    const list = (Array.isArray(config) ? config : []) as unknown[];
    return list.with(key, withValue(list[key], rest, value));
  }
  const object = (config ?? {}) as Record<string, unknown>;
  return { ...object, [key]: withValue(object[key], rest, value) };
}

describe('a default', () => {
  const config = {
    listeners: {
      tcp: { listen: ':1', mode: 'tcp', routes: [{ pool: 'NAME' }] },
      http: { listen: ':2', mode: 'http', routes: [{ pool: 'NAME' }] },
    },
    pools: { NAME: { backends: [{ address: '127.0.0.1:1' }] } },
  };
  const places = placesBelow(jsonSchema() as SchemaNode, []);
  // Those that hold what the configuration states are no defaults of it.
  const stated = new Set(['listeners', 'pools', 'pools.NAME.backends']);
  const defaults = places.filter(
    ({ path, node }) => node.default !== undefined && !stated.has(path.join('.')),
  );

  it('is stated for most keys', () => expect(defaults.length).toBeGreaterThan(20));

  it.each(defaults.map(({ path, node }) => [path.join('.'), node.default, path] as const))(
    'of %s is %j: stating it changes nothing',
    (_, value, path) => {
      // What holds the key may mean something by being there: it is stated on both sides.
      const holder = path.slice(0, -1);
      const before = valueAt(config, holder) === undefined ? withValue(config, holder, {}) : config;
      const same = withValue(before, path, value);
      expect(parseConfig(same, 'file')).toEqual(parseConfig(before, 'file'));
    },
  );
});
