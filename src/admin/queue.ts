// Changes of definitions follow one another, so that between the look at an ETag and the change
// nobody else changes anything by this API. The next one may begin as soon as the change is being
// made: the controller takes it in another turn.
export class Queue {
  #last: Promise<unknown> = Promise.resolve();

  // `check` throws what prevents the change; `work` has it called in the moment of the change.
  add<T>(check: () => void, work: (unless: () => void) => Promise<T>): Promise<T> {
    let begun = (): void => {};
    const release = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const made = this.#last.then(() =>
      work(() => {
        begun();
        check();
      }),
    );
    this.#last = Promise.race([release, made.catch(() => {})]);
    return made;
  }
}
