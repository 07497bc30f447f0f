// Why the workers do without io_uring, and what to do about it: one line for the log.
import { readFileSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import type { EngineFallback } from '../shm/layout.gen.ts';

export interface Remedy {
  readonly cause: string;
  readonly remedy: string;
}

// Value of /proc/sys/kernel/io_uring_disabled, when the kernel has it.
export type Disabled = '0' | '1' | '2' | undefined;

function refused(disabled: Disabled): Remedy {
  if (disabled === '2') {
    return {
      cause: 'kernel.io_uring_disabled is 2',
      remedy: 'sysctl -w kernel.io_uring_disabled=0',
    };
  }
  if (disabled === '1') {
    return {
      cause: 'kernel.io_uring_disabled is 1 and this process is not in kernel.io_uring_group',
      remedy: 'sysctl -w kernel.io_uring_disabled=0, or join the group',
    };
  }
  return {
    cause: 'a seccomp filter refuses it, as the default profiles of Docker and containerd do',
    remedy:
      'allow io_uring_setup, io_uring_enter and io_uring_register in the seccomp profile ' +
      '(docker run --security-opt seccomp=FILE)',
  };
}

function disabledSysctl(): Disabled {
  try {
    return readFileSync('/proc/sys/kernel/io_uring_disabled', 'utf8').trim() as Disabled;
  } catch {
    return undefined;
  }
}

export function remedyOf(
  fallback: EngineFallback,
  errno: number,
  disabled: Disabled = disabledSysctl(),
): Remedy {
  const code = errno === 0 ? '' : ` (${getSystemErrorName(-errno)})`;
  switch (fallback) {
    case 'refused_permission':
      return refused(disabled);
    case 'no_memory':
      return {
        cause: `the kernel had no memory for the rings${code}: the limit of locked memory is small`,
        remedy:
          'raise it: ulimit -l unlimited, LimitMEMLOCK=infinity (systemd), --ulimit memlock=-1',
      };
    case 'not_supported':
      return {
        cause: `this kernel does not offer what is needed of it${code}`,
        remedy: 'a newer Linux kernel; epoll carries the same traffic at a higher cost',
      };
    default:
      return {
        cause: `an operation did not do what it should when it was tried at start${code}`,
        remedy: 'a newer Linux kernel; epoll carries the same traffic at a higher cost',
      };
  }
}
