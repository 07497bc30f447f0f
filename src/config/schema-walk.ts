// The JSON Schema of a configuration, walked by the paths of values: what is known at a place.
import { jsonSchema } from './json-schema.ts';
import type { Key } from './paths.ts';

// What is used of a JSON Schema.
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly examples?: readonly unknown[];
}

let root: SchemaNode | undefined;
export const rootSchema = (): SchemaNode => {
  root ??= jsonSchema() as SchemaNode;
  return root;
};

// A schema's alternatives, each without alternatives of its own.
export const alternatives = (node: SchemaNode): SchemaNode[] => {
  const choices = node.anyOf ?? node.oneOf;
  return choices === undefined ? [node] : choices.flatMap(alternatives);
};

// Those whose constants the value has, or all when that is none: a listener's mode chooses.
export function fitting(node: SchemaNode, value: unknown): SchemaNode[] {
  const all = alternatives(node);
  const stated = (value ?? {}) as Readonly<Record<string, unknown>>;
  const chosen = all.filter(({ properties = {} }) => {
    const constants = Object.entries(properties).filter(([, one]) => one.const !== undefined);
    return (
      constants.length > 0 &&
      constants.every(([key, one]) => Object.hasOwn(stated, key) && stated[key] === one.const)
    );
  });
  return chosen.length > 0 ? chosen : all;
}

function below(node: SchemaNode, key: Key): SchemaNode[] {
  if (typeof key === 'number') return node.items === undefined ? [] : [node.items];
  const own = Object.hasOwn(node.properties ?? {}, key) ? node.properties?.[key] : undefined;
  if (own !== undefined) return [own];
  return typeof node.additionalProperties === 'object' ? [node.additionalProperties] : [];
}

const childOf = (value: unknown, key: Key): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Readonly<Record<Key, unknown>>)[key]
    : undefined;

// The schemas that a value at this path of `input` may follow.
export function schemasAt(path: readonly Key[], input: unknown): SchemaNode[] {
  let nodes = fitting(rootSchema(), input);
  let value = input;
  for (const key of path) {
    value = childOf(value, key);
    nodes = nodes.flatMap((node) => below(node, key)).flatMap((node) => fitting(node, value));
  }
  return nodes;
}

export const knownKeys = (nodes: readonly SchemaNode[]): string[] => [
  ...new Set(nodes.flatMap(({ properties }) => Object.keys(properties ?? {}))),
];

export const knownValues = (nodes: readonly SchemaNode[]): string[] =>
  nodes
    .flatMap((node) => [...(node.enum ?? []), ...(node.const === undefined ? [] : [node.const])])
    .filter((value) => typeof value === 'string');
