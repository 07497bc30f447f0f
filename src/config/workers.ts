// How many workers and connections fit this process: its affinity mask, its cgroup's quota of
// processors and memory, and its limit of open files. `read` gives a file's text, or undefined.
import { readFileSync } from 'node:fs';

export type ReadFile = (path: string) => string | undefined;

export const readSystemFile: ReadFile = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

// Every directory from a cgroup up to the root of its hierarchy; the mount's root comes last, which
// is where a container without a cgroup namespace finds its own.
function ancestors(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..');
  return parts.map((_, index) => `/${parts.slice(0, parts.length - index).join('/')}`).concat('');
}

function quotaV2(directory: string, read: ReadFile): number | undefined {
  const [quota, period] = (read(`${directory}/cpu.max`) ?? '').trim().split(/\s+/).map(Number);
  return quota && period ? quota / period : undefined;
}

function quotaV1(directory: string, read: ReadFile): number | undefined {
  const quota = Number(read(`${directory}/cpu.cfs_quota_us`) ?? -1);
  const period = Number(read(`${directory}/cpu.cfs_period_us`) ?? 0);
  return quota > 0 && period > 0 ? quota / period : undefined;
}

// The tightest limit of a controller over all cgroups that this process is in.
function tightest(
  read: ReadFile,
  controller: string,
  v1Mount: string,
  v2: (directory: string) => number | undefined,
  v1: (directory: string) => number | undefined,
): number | undefined {
  const found: number[] = [];
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    if (controllers !== '' && !controllers.split(',').includes(controller)) continue;
    for (const directory of ancestors(path)) {
      const limit =
        controllers === ''
          ? v2(`/sys/fs/cgroup${directory}`)
          : (v1(`/sys/fs/cgroup/${controllers}${directory}`) ??
            v1(`/sys/fs/cgroup/${v1Mount}${directory}`));
      if (limit !== undefined) found.push(limit);
    }
  }
  return found.length === 0 ? undefined : Math.min(...found);
}

// Processors the cgroups (version 1 or 2) grant, as a fraction; undefined: no quota.
export const cgroupQuota = (read: ReadFile = readSystemFile): number | undefined =>
  tightest(
    read,
    'cpu',
    'cpu',
    (directory) => quotaV2(directory, read),
    (directory) => quotaV1(directory, read),
  );

// Version 1 writes a number near 2^63 for no limit.
const unlimitedBytes = 2 ** 60;

// Bytes of memory the cgroups grant; undefined: no limit.
export function cgroupMemory(read: ReadFile = readSystemFile): number | undefined {
  const bytes = (path: string): number | undefined => {
    const value = Number(read(path)?.trim() ?? Number.NaN);
    return value > 0 && value < unlimitedBytes ? value : undefined;
  };
  return tightest(
    read,
    'memory',
    'memory',
    (directory) => bytes(`${directory}/memory.max`),
    (directory) => bytes(`${directory}/memory.limit_in_bytes`),
  );
}

// `processors`: how many the affinity mask allows.
export function automaticWorkers(
  processors: number,
  quota: number | undefined,
  max: number,
): number {
  const granted = quota === undefined ? processors : Math.ceil(quota);
  return Math.max(1, Math.min(processors, granted, max));
}

// The soft limit of open files of this process; Infinity when there is none.
export function openFilesLimit(read: ReadFile = readSystemFile): number {
  const found = /^Max open files\s+(\S+)/m.exec(read('/proc/self/limits') ?? '');
  if (found === null) return 1024;
  return found[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(found[1]);
}

// Descriptors that so many connections need: two each, and what the process has besides.
export const filesFor = (workers: number, connections: number): number =>
  2 * connections + filesReserved + workers * filesPerWorker;

const perWorkerMax = 100_000;
// Node, the engines, listeners and logs.
const filesReserved = 128;
// Pipes for splice and what an engine opens.
const filesPerWorker = 144;

// Two descriptors a connection. At least 16, so that a tight limit still balances.
export function defaultMaxConnections(workers: number, openFiles: number): number {
  const free = Math.floor((openFiles - filesReserved - workers * filesPerWorker) / 2);
  return Math.max(16, Math.min(workers * perWorkerMax, free));
}
