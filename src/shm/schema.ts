// The one place where the layout of the shared memory is written. Plain data, in
// these files: `schema-limits.ts`, `schema-control.ts`, `schema-worker.ts`, `schema-fields.ts`.
// `npm run gen` makes native/shm/layout.gen.h and src/shm/layout.gen.ts from it.
//
// Every block names its writer, and only the writer may store to it:
//   addon    the native code that maps the region, once, before any worker starts
//   control  the TypeScript controller (through src/shm/publish.ts), single-threaded; the words
//            `generation`, `liveSequence` and `phase` are stored natively with release order on its
//            behalf, because JavaScript has no release store on a plain ArrayBuffer
//   worker   the worker thread whose index is the block's first dimension
//   logger   the addon's thread that formats and writes the access log
//
// Field types: u32, i32, u64 are plain (published by a later release store); a32, a64 are atomic
// words that are read while their writer runs. `bytes(n)` is raw. A `count` gives an array.
// Arrays of blocks are indexed by stable slot numbers, never by position in a configuration.
import { controlBlocks } from './schema-control.ts';
import { workerBlocks } from './schema-worker.ts';

export type { Block, Field, FieldType, Writer } from './schema-fields.ts';
export { enums, limits } from './schema-limits.ts';

export const blocks = { ...controlBlocks, ...workerBlocks } as const;
