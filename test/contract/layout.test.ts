// Both sides of the shared memory agree: what one writes at the places it knows, the other reads
// by name. The native half is layout_probe.cc, compiled here with the generated header.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { helperFlags, probeIncludes } from '../../scripts/lib/compile-commands.ts';
import {
  layout,
  snapshotBase,
  snapshotStride,
  workerBase,
  workerStride,
} from '../../src/shm/layout.gen.ts';
import { regionBytes } from '../../src/shm/region.ts';
import { root } from '../fixtures/scene.ts';

type BlockName = keyof typeof layout;
interface FieldLayout {
  readonly offset: number;
  readonly type: string;
  readonly count: number;
}

const workers = 2;
const pascal = (name: string): string => name[0]?.toUpperCase() + name.slice(1);
const snake = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
const width = (type: string): number =>
  type === 'bytes' ? 1 : type === 'u64' || type === 'a64' ? 8 : 4;

const blockNames = Object.keys(layout) as BlockName[];
const fieldsOf = (block: BlockName): [string, FieldLayout][] =>
  Object.entries(layout[block].fields);

function probeLine(block: BlockName, field: string): string {
  const { per, count } = layout[block];
  const [base, stride, instances] =
    per === 'snapshot'
      ? ['shm::kSnapshotBase', 'shm::kSnapshotStride', 'shm::kSnapshotSlots']
      : per === 'worker'
        ? ['shm::kWorkerBase', 'shm::kWorkerStride', 'workers']
        : ['0', '0', '1'];
  const type = pascal(block);
  const names = `"${block}", "${field}"`;
  const where = `${base}, ${stride}, ${instances}, k${type}Offset, ${count}u`;
  return `PROBE(${type}, ${snake(field)}, ${names}, ${where})`;
}

function fieldsInc(): string {
  const lines = (control: boolean): string[] =>
    blockNames
      .filter((block) => (layout[block].writer === 'control') === control)
      .flatMap((block) => fieldsOf(block).map(([field]) => probeLine(block, field)));
  return [
    '#ifdef CONTROL_FIELDS',
    ...lines(true),
    '#endif',
    '#ifdef OTHER_FIELDS',
    ...lines(false),
    '#endif',
    '',
  ].join('\n');
}

// Where TypeScript believes a word to be.
function placeOf(block: BlockName, field: string, slot: number, at: number, index: number) {
  const { per, offset, size } = layout[block];
  const found = fieldsOf(block).find(([name]) => name === field)?.[1];
  if (found === undefined) throw new Error(`${block} has no ${field}`);
  const base =
    per === 'snapshot'
      ? snapshotBase + snapshotStride * at
      : per === 'worker'
        ? workerBase + workerStride * at
        : 0;
  const bytes = width(found.type);
  return { place: base + offset + slot * size + found.offset + index * bytes, bytes };
}

function access(view: DataView, place: number, bytes: number): bigint {
  if (bytes === 1) return BigInt(view.getUint8(place));
  return bytes === 4 ? BigInt(view.getUint32(place, true)) : view.getBigUint64(place, true);
}

interface Word {
  readonly block: BlockName;
  readonly field: string;
  readonly slot: number;
  readonly at: number;
  readonly index: number;
  readonly value: bigint;
}

const parse = (output: string): Word[] =>
  output
    .trim()
    .split('\n')
    .map((line) => {
      const [block, field = '', slot, at, index, value = ''] = line.split(' ');
      return {
        block: block as BlockName,
        field,
        slot: Number(slot),
        at: Number(at),
        index: Number(index),
        value: BigInt(value),
      };
    });

const folder = mkdtempSync(join(tmpdir(), 'sluice-layout-'));
const probe = join(folder, 'probe');
const file = join(folder, 'region');
const run = (...args: string[]): string =>
  execFileSync(probe, args, { encoding: 'utf8', maxBuffer: 1 << 24 });

beforeAll(() => {
  mkdirSync(join(root, 'build/contract'), { recursive: true });
  writeFileSync(join(root, 'build/contract/fields.inc'), fieldsInc());
  const source = join(root, 'test/contract/layout_probe.cc');
  const flags = [...helperFlags, ...probeIncludes.map((path) => `-I${path}`)];
  execFileSync('g++', [...flags, source, '-o', probe], { stdio: 'inherit' });
});
afterAll(() => rmSync(folder, { recursive: true }));

const has = (words: readonly Word[], control: boolean): void => {
  const named = new Set(words.map(({ block, field }) => `${block}.${field}`));
  const wanted = blockNames
    .filter((block) => (layout[block].writer === 'control') === control)
    .flatMap((block) => fieldsOf(block).map(([field]) => `${block}.${field}`));
  expect([...named].sort()).toEqual(wanted.sort());
};

describe('the shared layout', () => {
  it('has each word of TypeScript where the native side reads it', () => {
    const view = new DataView(new ArrayBuffer(regionBytes(workers)));
    // Every 32-bit word has the low bits of its own place, stirred; so no two neighbours are equal.
    for (let place = 0; place < workerBase; place += 4) {
      view.setUint32(place, Math.imul(place + 1, 0x9e3779b1) >>> 0, true);
    }
    writeFileSync(file, new Uint8Array(view.buffer));
    const words = parse(run('read', file));
    has(words, true);
    for (const { block, field, slot, at, index, value } of words) {
      const { place, bytes } = placeOf(block, field, slot, at, index);
      expect(`${block}.${field}[${slot}] ${access(view, place, bytes)}`).toBe(
        `${block}.${field}[${slot}] ${value}`,
      );
    }
  });

  it('has each word of the native side where TypeScript reads it', () => {
    writeFileSync(file, new Uint8Array(regionBytes(workers)));
    const words = parse(run('write', file));
    has(words, false);
    const bytes = readFileSync(file);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (const { block, field, slot, at, index, value } of words) {
      const found = placeOf(block, field, slot, at, index);
      expect(`${block}.${field}[${slot}] ${access(view, found.place, found.bytes)}`).toBe(
        `${block}.${field}[${slot}] ${value}`,
      );
    }
  });
});
