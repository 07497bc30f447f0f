// What the blocks of the schema are made of.
import type { limits } from './schema-limits.ts';

export type FieldType = 'u32' | 'i32' | 'u64' | 'a32' | 'a64' | 'bytes';
export type Writer = 'addon' | 'control' | 'worker' | 'logger';

export interface Field {
  readonly type: FieldType;
  // Array length; for bytes, the number of bytes. A number or the name of a limit.
  readonly count?: number | keyof typeof limits;
  // How metrics treat the word. `gauge` may fall, `counter` only rises.
  readonly metric?: 'counter' | 'gauge' | 'histogram';
  // Unit of the value: 'bytes', 'microseconds', 'nanoseconds', or a plain count.
  readonly unit?: string;
  readonly help?: string;
}

export interface Block {
  readonly writer: Writer;
  readonly help: string;
  // Alignment of one element in bytes; 64 keeps writers off each other's cache lines.
  readonly align: number;
  // Slots of this block per instance of its parent.
  readonly count?: keyof typeof limits;
  // 'region': once. 'snapshot': once per snapshot slot. 'worker': once per running worker.
  readonly per: 'region' | 'snapshot' | 'worker';
  readonly fields: Readonly<Record<string, Field>>;
}

export const u32: Field = { type: 'u32' };
export const a32: Field = { type: 'a32' };
export const milliseconds: Field = { type: 'u32', unit: 'milliseconds' };
export const counter = (help: string, unit = ''): Field => ({
  type: 'a64',
  metric: 'counter',
  unit,
  help,
});
export const gauge = (help: string): Field => ({ type: 'a32', metric: 'gauge', help });
export const histogram = (help: string): Field => ({
  type: 'a64',
  count: 'histogramBuckets',
  metric: 'histogram',
  unit: 'microseconds',
  help,
});

// A request counts by the class of the answer that its client was given.
export const requestsByClass = {
  requests1xxTotal: counter('Answers with a status of 1xx: upgrades.'),
  requests2xxTotal: counter('Answers with a status of 2xx.'),
  requests3xxTotal: counter('Answers with a status of 3xx.'),
  requests4xxTotal: counter('Answers with a status of 4xx.'),
  requests5xxTotal: counter('Answers with a status of 5xx.'),
};
export const answered = (status: number): Field =>
  counter(`Requests answered ${status} by sluice.`);
