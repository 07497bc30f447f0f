// What a process holds in memory, from /proc/PID/smaps.
//
// sluice lives in a Node process, whose heap grows and shrinks by its own rules. What its engine
// holds is told apart by how it is mapped:
//   * anonymous mappings with both VmFlags nr (MAP_NORESERVE) and nh (MADV_NOHUGEPAGE): the slabs
//     and buffers of native/base/reserved_array.h. V8 and libc never ask for that combination;
//   * mappings named [anon:sluice...], on kernels that keep such names;
//   * anon_inode:[io_uring]: the rings. Their pages are the kernel's; where it reports no resident
//     pages for them, their whole size counts;
//   * /memfd:...: the region shared with TypeScript.
import { readFileSync } from 'node:fs';

export interface Memory {
  readonly engineBytes: number;
  readonly processBytes: number; // every resident private or shared-memory page of the process
}

interface Mapping {
  readonly name: string;
  readonly sizeBytes: number;
  readonly residentBytes: number;
  readonly flags: readonly string[];
}

export function readMemory(pid: number): Memory {
  const mappings = parseMappings(readFileSync(`/proc/${pid}/smaps`, 'utf8'));
  let engineBytes = 0;
  let processBytes = 0;
  for (const mapping of mappings) {
    const bytes = heldBytes(mapping);
    if (isEngine(mapping)) engineBytes += bytes;
    if (!isFile(mapping)) processBytes += bytes;
  }
  return { engineBytes, processBytes };
}

const isRing = ({ name }: Mapping): boolean => name === 'anon_inode:[io_uring]';
const isRegion = ({ name }: Mapping): boolean => name.startsWith('/memfd:');
const isFile = (mapping: Mapping): boolean =>
  mapping.name.startsWith('/') && !isRegion(mapping) && mapping.name !== '/dev/zero (deleted)';

function isEngine(mapping: Mapping): boolean {
  const { name, flags } = mapping;
  if (name.startsWith('[anon:sluice') || isRing(mapping) || isRegion(mapping)) return true;
  return name === '' && flags.includes('nr') && flags.includes('nh');
}

const heldBytes = (mapping: Mapping): number =>
  isRing(mapping) && mapping.residentBytes === 0 ? mapping.sizeBytes : mapping.residentBytes;

function parseMappings(smaps: string): Mapping[] {
  const heading = /^[0-9a-f]+-[0-9a-f]+ \S+ [0-9a-f]+ \S+ \d+ *(.*)$/;
  const mappings: Mapping[] = [];
  let name = '';
  let sizeBytes = 0;
  let residentBytes = 0;
  for (const line of smaps.split('\n')) {
    const start = heading.exec(line);
    if (start !== null) name = start[1] ?? '';
    else if (line.startsWith('Size:')) sizeBytes = kilobytes(line);
    else if (line.startsWith('Rss:')) residentBytes = kilobytes(line);
    else if (line.startsWith('VmFlags:')) {
      const flags = line.slice('VmFlags:'.length).trim().split(' ');
      mappings.push({ name, sizeBytes, residentBytes, flags });
    }
  }
  return mappings;
}

const kilobytes = (line: string): number => Number(/\d+/.exec(line)?.[0] ?? 0) * 1024;
