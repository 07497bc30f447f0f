// Generates both sides of the shared-memory contract from src/shm/schema.ts:
//   native/shm/layout.gen.h   structs with checked offsets, enums, limits, the schema hash
//   src/shm/layout.gen.ts     offsets and metric descriptions for the typed views of region.ts
// `--check` compares instead of writing and fails when a committed file is stale.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { type Block, blocks, enums, type Field, limits } from '../src/shm/schema.ts';

const page = 4096;
const banner = '// GENERATED from src/shm/schema.ts by `npm run gen`. Do not edit.\n';
const sizes = { u32: 4, i32: 4, a32: 4, u64: 8, a64: 8, bytes: 1 } as const;

interface PlacedField {
  readonly name: string;
  readonly field: Field;
  readonly offset: number;
  readonly count: number;
}
interface PlacedBlock {
  readonly name: string;
  readonly block: Block;
  readonly offset: number; // from the start of the region, snapshot slot or worker area
  readonly size: number; // of one element, a multiple of its alignment
  readonly count: number;
  readonly fields: readonly PlacedField[];
}

const alignUp = (value: number, align: number): number => Math.ceil(value / align) * align;
const countOf = (count: Field['count']): number =>
  count === undefined ? 1 : typeof count === 'number' ? count : limits[count];

function placeFields(block: Block): { fields: PlacedField[]; size: number } {
  let offset = 0;
  const fields: PlacedField[] = [];
  for (const [name, field] of Object.entries(block.fields)) {
    offset = alignUp(offset, sizes[field.type]);
    const count = countOf(field.count);
    fields.push({ name, field, offset, count });
    offset += sizes[field.type] * count;
  }
  return { fields, size: alignUp(offset, block.align) };
}

// Arrays larger than a page start on one, so that an unused array costs no resident memory.
function place(per: Block['per']): { placed: PlacedBlock[]; bytes: number } {
  let offset = 0;
  const placed: PlacedBlock[] = [];
  for (const [name, block] of Object.entries<Block>(blocks)) {
    if (block.per !== per) continue;
    const { fields, size } = placeFields(block);
    const count = countOf(block.count);
    offset = alignUp(offset, size * count > page ? page : Math.max(block.align, 64));
    placed.push({ name, block, offset, size, count, fields });
    offset += size * count;
  }
  return { placed, bytes: alignUp(offset, page) };
}

const region = place('region');
const snapshot = place('snapshot');
const worker = place('worker');
const snapshotBase = region.bytes;
const workerBase = snapshotBase + snapshot.bytes * limits.snapshotSlots;
const hash = createHash('sha256')
  .update(JSON.stringify([limits, enums, region, snapshot, worker]))
  .digest('hex')
  .slice(0, 16);

const pascal = (name: string): string => name[0]?.toUpperCase() + name.slice(1);
const snake = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
const cppTypes = {
  u32: 'uint32_t',
  i32: 'int32_t',
  u64: 'uint64_t',
  a32: 'std::atomic<uint32_t>',
  a64: 'std::atomic<uint64_t>',
  bytes: 'uint8_t',
} as const;

function cppStruct({ name, block, size, fields }: PlacedBlock): string {
  const type = pascal(name);
  const lines = [
    `// Writer: ${block.writer}. ${block.help}`,
    `struct alignas(${block.align}) ${type} {`,
  ];
  for (const { name: field, field: spec, count } of fields) {
    const array = spec.count === undefined ? '' : `[${count}]`;
    if (spec.help) lines.push(`  // ${spec.help}`);
    lines.push(`  ${cppTypes[spec.type]} ${snake(field)}${array};`);
  }
  lines.push(
    '};',
    `static_assert(sizeof(${type}) == ${size} && alignof(${type}) == ${block.align});`,
  );
  for (const { name: field, offset } of fields) {
    lines.push(`static_assert(offsetof(${type}, ${snake(field)}) == ${offset});`);
  }
  return lines.join('\n');
}

function cppOffsets({ placed }: { placed: readonly PlacedBlock[] }): string {
  return placed
    .map(({ name, offset }) => `inline constexpr uint64_t k${pascal(name)}Offset = ${offset};`)
    .join('\n');
}

function emitCpp(): string {
  const enumText = Object.entries(enums).map(
    ([name, values]) =>
      `enum class ${name} : uint32_t {\n${values.map((v, i) => `  ${v} = ${i},\n`).join('')}};`,
  );
  const all = [...region.placed, ...snapshot.placed, ...worker.placed];
  return `${banner}// clang-format off
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace sluice::shm {

static_assert(std::atomic<uint32_t>::is_always_lock_free && sizeof(std::atomic<uint32_t>) == 4);
static_assert(std::atomic<uint64_t>::is_always_lock_free && sizeof(std::atomic<uint64_t>) == 8);
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

inline constexpr uint64_t kSchemaHash = 0x${hash}ull;
inline constexpr uint32_t kMagic = 0x43554c53;  // "SLUC"
${Object.entries(limits)
  .map(([name, value]) => `inline constexpr uint32_t k${pascal(name)} = ${value};`)
  .join('\n')}

${enumText.join('\n\n')}

${all.map(cppStruct).join('\n\n')}

// Offsets within the region.
${cppOffsets(region)}
inline constexpr uint64_t kSnapshotBase = ${snapshotBase};
inline constexpr uint64_t kSnapshotStride = ${snapshot.bytes};
inline constexpr uint64_t kWorkerBase = ${workerBase};
inline constexpr uint64_t kWorkerStride = ${worker.bytes};
// Offsets within a snapshot slot.
${cppOffsets(snapshot)}
// Offsets within a worker's area.
${cppOffsets(worker)}

constexpr uint64_t region_bytes(uint32_t workers) {
  return kWorkerBase + kWorkerStride * workers;
}

}  // namespace sluice::shm
`;
}

function tsBlock({ name, block, offset, size, count, fields }: PlacedBlock): string {
  const rows = fields.map(({ name: field, field: spec, offset: at, count: n }) => {
    const extra = [
      spec.metric ? `metric: '${spec.metric}'` : '',
      spec.unit ? `unit: '${spec.unit}'` : '',
      spec.metric && spec.help ? `help: ${JSON.stringify(spec.help)}` : '',
    ].filter(Boolean);
    const tail = extra.length > 0 ? `, ${extra.join(', ')}` : '';
    return `      ${field}: { offset: ${at}, type: '${spec.type}', count: ${n}${tail} },`;
  });
  return `  ${name}: {
    writer: '${block.writer}',
    per: '${block.per}',
    offset: ${offset},
    size: ${size},
    count: ${count},
    fields: {
${rows.join('\n')}
    },
  },`;
}

function emitTs(): string {
  const all = [...region.placed, ...snapshot.placed, ...worker.placed];
  const enumText = Object.entries(enums).map(([name, values]) => {
    const rows = values.map((v, i) => `  ${v}: ${i},`).join('\n');
    const type = `export type ${name} = keyof typeof ${name};`;
    return `export const ${name} = {\n${rows}\n} as const;\n${type}`;
  });
  return `${banner}
export const schemaHash = '${hash}';
export const magic = 0x43554c53;
export const snapshotBase = ${snapshotBase};
export const snapshotStride = ${snapshot.bytes};
export const workerBase = ${workerBase};
export const workerStride = ${worker.bytes};

// Offsets are from the start of the region, of a snapshot slot, or of a worker's area (\`per\`).
export const layout = {
${all.map(tsBlock).join('\n')}
} as const;

${enumText.join('\n\n')}
`;
}

const outputs: readonly [string, string][] = [
  ['native/shm/layout.gen.h', emitCpp()],
  ['src/shm/layout.gen.ts', emitTs()],
];
let stale = 0;
for (const [path, text] of outputs) {
  const url = new URL(`../${path}`, import.meta.url);
  if (!process.argv.includes('--check')) {
    writeFileSync(url, text);
    continue;
  }
  let committed = '';
  try {
    committed = readFileSync(url, 'utf8');
  } catch {
    // A missing file is a stale one.
  }
  if (committed !== text) {
    console.error(`${path} is stale: run \`npm run gen\``);
    stale += 1;
  }
}
process.exitCode = stale > 0 ? 1 : 0;
