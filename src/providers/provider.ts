import type { Backend, Desired } from '../model/types.ts';

// A source of desired state. It always states all it wants, never a difference; what it no longer
// states is gone. Host names are resolved before it states them.
export interface Provider {
  // Unique among the providers of a balancer; names it in flags and logs.
  readonly source: string;
  // Objects of what did not change since the last call are the same objects.
  state(): Desired<Backend>;
  // What comes back makes `state` answer again what it answers now: what was stated since then
  // could not be published.
  checkpoint(): () => void;
}

// A provider to which its whole statement is given.
export interface Replaceable extends Provider {
  replace(state: Desired<Backend>): void;
}

// A source that changes by itself. Nothing it states is in force before `start`.
export interface Watcher {
  readonly source: string;
  state(): Desired<Backend>;
  // Begins to watch; `changed` says that `state` answers something new. Errors of the source are
  // its own to log and to try again: what it stated last stays.
  start(changed: () => void): void;
  // What people changed at run time and this source takes into account may be different now.
  overridden?(): void;
  stop(): Promise<void>;
}

// What the controller has taken over of a watcher: should it state what cannot be published, its
// last good statement stays in force and changes of others go on.
export class Adopted implements Provider {
  readonly source: string;
  readonly #watcher: Watcher;
  #taken: Desired<Backend>;

  constructor(watcher: Watcher) {
    this.source = watcher.source;
    this.#watcher = watcher;
    this.#taken = nothing(watcher.source);
  }

  take(): void {
    this.#taken = this.#watcher.state();
  }
  state(): Desired<Backend> {
    return this.#taken;
  }
  checkpoint(): () => void {
    const taken = this.#taken;
    return () => {
      this.#taken = taken;
    };
  }
}

export const nothing = (source: string): Desired<Backend> => ({
  source,
  layer: 'intent',
  settings: undefined,
  listeners: new Map(),
  pools: new Map(),
  attached: [],
});
