// Whether configurations were taken over: what a supervisor wants to know of a file that changes.
import type { AppliesView } from '../shm/read.ts';

export class Applies {
  #view: AppliesView = { succeeded: 0, failed: 0, lastSucceeded: true, lastSuccessMs: 0 };

  get view(): AppliesView {
    return this.#view;
  }

  succeeded(): void {
    const succeeded = this.#view.succeeded + 1;
    this.#view = { ...this.#view, succeeded, lastSucceeded: true, lastSuccessMs: Date.now() };
  }

  failed(): void {
    this.#view = { ...this.#view, failed: this.#view.failed + 1, lastSucceeded: false };
  }
}
