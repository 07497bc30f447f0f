// What another process needs to read this balancer's figures in the shared memory.
import { schemaHash } from '../shm/layout.gen.ts';
import { boundText } from './answers.ts';
import type { MemoryAnswer } from './api-types.ts';
import type { AdminSource } from './source.ts';

export function memory(source: AdminSource): MemoryAnswer {
  const { version, startedAtMs, sequence, listeners, pools } = source.view();
  return {
    version,
    startedAt: new Date(startedAtMs).toISOString(),
    pid: process.pid,
    descriptor: source.memoryDescriptor,
    layoutHash: schemaHash,
    generation: sequence,
    listeners: listeners.map(({ name, mode, slot, incarnation }) => {
      const address = boundText(source.address(name));
      return { name, mode, address, slot, incarnation };
    }),
    pools: pools.map(({ name, strategy, takesRequests, slot, incarnation, backends }) => ({
      name,
      strategy,
      takesRequests,
      slot,
      incarnation,
      backends: backends.map(({ id, slot, incarnation }) => ({ id, slot, incarnation })),
    })),
  };
}
