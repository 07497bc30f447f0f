import { describe, expect, it } from 'vitest';
import {
  automaticWorkers,
  cgroupMemory,
  cgroupQuota,
  defaultMaxConnections,
  openFilesLimit,
} from '../../../src/config/workers.ts';

const files =
  (all: Record<string, string>) =>
  (path: string): string | undefined =>
    all[path];

describe('cgroupQuota', () => {
  it('is the tightest of a version 2 path', () => {
    const read = files({
      '/proc/self/cgroup': '0::/user.slice/app\n',
      '/sys/fs/cgroup/user.slice/app/cpu.max': 'max 100000\n',
      '/sys/fs/cgroup/user.slice/cpu.max': '250000 100000\n',
      '/sys/fs/cgroup/cpu.max': '800000 100000\n',
    });
    expect(cgroupQuota(read)).toBe(2.5);
  });

  it('reads version 1, also where the container sees only the root', () => {
    const read = files({
      '/proc/self/cgroup': '4:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc\n',
      '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '150000\n',
      '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
    });
    expect(cgroupQuota(read)).toBe(1.5);
  });

  it('is none without a limit', () => {
    expect(cgroupQuota(files({}))).toBeUndefined();
    const v1 = files({
      '/proc/self/cgroup': '4:cpu:/\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    });
    expect(cgroupQuota(v1)).toBeUndefined();
  });
});

describe('cgroupMemory', () => {
  it('is the tightest limit of either version', () => {
    const v2 = files({
      '/proc/self/cgroup': '0::/a/b\n',
      '/sys/fs/cgroup/a/b/memory.max': 'max\n',
      '/sys/fs/cgroup/a/memory.max': '1073741824\n',
    });
    expect(cgroupMemory(v2)).toBe(2 ** 30);
    const v1 = files({
      '/proc/self/cgroup': '3:memory:/docker/abc\n4:cpu:/\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '268435456\n',
    });
    expect(cgroupMemory(v1)).toBe(2 ** 28);
  });

  it('is none without a limit', () => {
    expect(cgroupMemory(files({}))).toBeUndefined();
    const unlimited = files({
      '/proc/self/cgroup': '3:memory:/\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    });
    expect(cgroupMemory(unlimited)).toBeUndefined();
  });
});

describe('automaticWorkers', () => {
  it.each([
    [8, undefined, 8],
    [8, 2.5, 3],
    [2, 16, 2],
    [4, 0.2, 1],
    [0, undefined, 1],
    [400, undefined, 128],
  ])('of %i processors and quota %s is %i', (processors, quota, workers) =>
    expect(automaticWorkers(processors, quota, 128)).toBe(workers),
  );
});

describe('defaultMaxConnections', () => {
  it('is half of the open files that are left', () => {
    const read = files({
      '/proc/self/limits':
        'Limit                     Soft Limit           Hard Limit           Units\n' +
        'Max open files            65536                1048576              files\n',
    });
    expect(openFilesLimit(read)).toBe(65_536);
    expect(defaultMaxConnections(2, 65_536)).toBe((65_536 - 128 - 288) / 2);
    expect(defaultMaxConnections(2, Number.POSITIVE_INFINITY)).toBe(200_000);
    expect(defaultMaxConnections(2, 64)).toBe(16);
  });
});
