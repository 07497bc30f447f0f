// The provider of a configuration that a program states, whole.
import type { Backend, Desired } from '../model/types.ts';
import { nothing, type Replaceable } from './provider.ts';

export class StatedProvider implements Replaceable {
  readonly source: string;
  #state: Desired<Backend>;

  constructor(source: string) {
    this.source = source;
    this.#state = nothing(source);
  }

  state(): Desired<Backend> {
    return this.#state;
  }
  replace(state: Desired<Backend>): void {
    this.#state = state;
  }
  checkpoint(): () => void {
    const state = this.#state;
    return () => {
      this.#state = state;
    };
  }
}
