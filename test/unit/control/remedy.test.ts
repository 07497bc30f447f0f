import { describe, expect, it } from 'vitest';
import { remedyOf } from '../../../src/control/remedy.ts';
import { EngineFallback } from '../../../src/shm/layout.gen.ts';

const EPERM = 1;
const ENOMEM = 12;

describe('the remedy for a refused io_uring', () => {
  it('tells a seccomp filter from a sysctl', () => {
    expect(remedyOf('refused_permission', EPERM, '0').cause).toMatch(/seccomp/);
    expect(remedyOf('refused_permission', EPERM, undefined).cause).toMatch(/seccomp/);
    const off = remedyOf('refused_permission', EPERM, '2');
    expect(off.cause).toBe('kernel.io_uring_disabled is 2');
    expect(off.remedy).toBe('sysctl -w kernel.io_uring_disabled=0');
    expect(remedyOf('refused_permission', EPERM, '1').cause).toMatch(/io_uring_group/);
  });

  it('names the limit of locked memory', () => {
    const { cause, remedy } = remedyOf('no_memory', ENOMEM, '0');
    expect(cause).toMatch(/ENOMEM.*locked memory/);
    expect(remedy).toMatch(/ulimit -l unlimited/);
  });

  it('has words for every reason', () => {
    for (const reason of Object.keys(EngineFallback) as EngineFallback[]) {
      const { cause, remedy } = remedyOf(reason, 0, '0');
      expect(cause.length).toBeGreaterThan(10);
      expect(remedy.length).toBeGreaterThan(10);
    }
  });
});
