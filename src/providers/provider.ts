import type { Backend, Desired } from '../model/types.ts';

// A source of desired state. It always states all it wants, never a difference; what it no longer
// states is gone. Host names are resolved before it states them.
export interface Provider {
  // Unique among the providers of a balancer; names it in conflicts and logs.
  readonly source: string;
  // Objects of what did not change since the last call are the same objects.
  state(): Desired<Backend>;
  // Makes `state` answer this again: what it stated last could not be published.
  restore(state: Desired<Backend>): void;
}

export const nothing = (source: string): Desired<Backend> => ({
  source,
  settings: undefined,
  listeners: new Map(),
  pools: new Map(),
});
