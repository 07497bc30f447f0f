// Places of a snapshot's fields, counted in words.
import { layout } from './layout.gen.ts';

type Snapshots = {
  [N in keyof typeof layout]: (typeof layout)[N]['per'] extends 'snapshot' ? N : never;
}[keyof typeof layout];

export interface Words<N extends Snapshots> {
  // First word of the block, words of one element, and of each field within it.
  readonly first: number;
  readonly size: number;
  readonly at: Readonly<Record<keyof (typeof layout)[N]['fields'], number>>;
}

export function words<N extends Snapshots>(name: N): Words<N> {
  const { offset, size, fields } = layout[name];
  const at = Object.entries(fields).map(([field, { offset: bytes }]) => [field, bytes / 4]);
  return {
    first: offset / 4,
    size: size / 4,
    at: Object.fromEntries(at) as Words<N>['at'],
  };
}
