import { describe, expect, it } from 'vitest';
import type { Facts } from '../../../src/cli/doctor-facts.ts';
import { findingsOf } from '../../../src/cli/doctor-findings.ts';
import { emptyModel, type Model } from '../../../src/model/types.ts';

const well: Facts = {
  kernel: '6.1.0',
  engine: { engine: 'io_uring', fallback: 'none', errno: 0 },
  processors: [0, 1, 2, 3],
  machineProcessors: 4,
  cpuQuota: undefined,
  memoryBytes: undefined,
  machineBytes: 8 * 2 ** 30,
  openFiles: 1_048_576,
  mayBindLowPorts: true,
  portsFrom: 1024,
  docker: { endpoint: 'unix:///d', isStated: false, state: 'absent', reason: 'ENOENT' },
  admin: { address: '127.0.0.1:9123', isStated: false, state: 'unreachable', reason: 'refused' },
  model: undefined,
};
const settings = (more: Partial<Model['settings']>): Model => ({
  ...emptyModel,
  settings: { ...emptyModel.settings, ...more },
});
const finding = (check: string, facts: Partial<Facts>) =>
  findingsOf({ ...well, ...facts }).find((one) => one.check === check);

describe('the doctor', () => {
  it('finds nothing where all is well', () => {
    expect(findingsOf(well).map(({ status }) => status)).toEqual(Array(7).fill('ok'));
  });

  it('gives a fix with everything that is not well', () => {
    const bad = findingsOf({
      ...well,
      engine: { engine: 'none', fallback: 'none', errno: 0, error: 'no binary' },
      openFiles: 256,
      cpuQuota: 0.5,
      memoryBytes: 64 * 2 ** 20,
      mayBindLowPorts: false,
      docker: { endpoint: 'tcp://h:1', isStated: true, state: 'unreachable', reason: 'refused' },
      admin: { address: 'x', isStated: true, state: 'refused', reason: 'no token' },
    });
    for (const one of bad) {
      expect(one.status, one.check).not.toBe('ok');
      expect(one.means, one.check).toMatch(/\w/);
      expect(one.fix, one.check).toMatch(/\w/);
    }
  });

  it.each([
    ['no_memory', 12, /locked memory/, /LimitMEMLOCK/],
    ['not_supported', 38, /does not offer.*ENOSYS/, /newer Linux/],
    ['probe_failed', 22, /did not do what it should/, /newer Linux/],
  ] as const)('explains the fallback %s', (fallback, errno, found, fix) => {
    const engine = { engine: 'epoll', fallback, errno } as const;
    expect(finding('io_uring', { engine })).toMatchObject({
      status: 'warn',
      found: expect.stringMatching(found),
      fix: expect.stringMatching(fix),
    });
    const model = settings({ engine: 'io_uring' });
    expect(finding('io_uring', { engine, model })?.status).toBe('fail');
  });

  it.each([
    [2.5, undefined, 'ok', '3 workers'],
    [2.5, 4, 'warn', '4 workers'],
    [0.5, undefined, 'warn', '1 worker'],
    [undefined, 8, 'warn', '8 workers'],
    [undefined, 4, 'ok', '4 workers'],
  ])('with a quota of %s and %s workers is %s', (cpuQuota, workers, status, found) => {
    const model = workers === undefined ? undefined : settings({ workers });
    expect(finding('processors', { cpuQuota, model })).toMatchObject({
      status,
      found: expect.stringContaining(found),
    });
  });

  it('knows how much memory workers may need', () => {
    // 128 MiB, and 96 MiB for each of four workers.
    const memoryBytes = 512 * 2 ** 20;
    expect(finding('memory', { memoryBytes })?.status).toBe('ok');
    expect(finding('memory', { memoryBytes: memoryBytes - 1 })).toMatchObject({
      status: 'warn',
      fix: expect.stringContaining('MemoryMax=512M'),
    });
  });

  it('tells a balancer that is not healthy', () => {
    const health = {
      status: 'unhealthy',
      reasons: ['worker 1 is stuck'],
      version: '1',
      generation: 1,
      uptimeSeconds: 1,
      timestamp: '',
      workers: [],
    } as const;
    const admin = { address: 'x', isStated: false, state: 'answers', reason: '', health } as const;
    expect(finding('admin', { admin })).toMatchObject({
      status: 'fail',
      means: 'worker 1 is stuck',
    });
  });
});
