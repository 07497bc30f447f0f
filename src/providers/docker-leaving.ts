// Containers that have been told to end. They are asked for nothing new from that moment on, and
// have until their stop timeout to end: whoever still runs then has decided to stay.

interface Entry {
  readonly reason: string;
  readonly timer: NodeJS.Timeout | undefined;
}

// For the engine to notice and to tell.
const slackMs = 2000;
const stopTimeoutDefaultMs = 10_000;

export class Leaving {
  // Of the engine's clock.
  clockAheadMs = 0;
  readonly #entries = new Map<string, Entry>();
  readonly #overdue: (id: string) => void;

  // `overdue`: the container should have ended by now.
  constructor(overdue: (id: string) => void) {
    this.#overdue = overdue;
  }

  // Why it is leaving; undefined when it is not.
  reason(id: string): string | undefined {
    return this.#entries.get(id)?.reason;
  }

  // It was sent a signal that ends it, at a time of the engine's clock. True when this is news.
  told(id: string, at: string, stopTimeoutMs = stopTimeoutDefaultMs): boolean {
    const leftMs = stopTimeoutMs + slackMs - this.#ageMs(at);
    if (leftMs <= 0) return false;
    const timer = setTimeout(
      () => {
        this.#entries.delete(id);
        this.#overdue(id);
      },
      Math.min(leftMs, 2 ** 31 - 1),
    );
    timer.unref();
    return this.#set(id, { reason: 'it was told to end', timer });
  }

  // It has ended, and the next list will not have it. What ended long ago may have been started
  // again: the last list knows.
  ended(id: string, at: string): boolean {
    if (this.#ageMs(at) > slackMs) return false;
    return this.#set(id, { reason: 'it has ended', timer: undefined });
  }

  // It runs (again). True when this is news.
  stays(id: string): boolean {
    clearTimeout(this.#entries.get(id)?.timer);
    return this.#entries.delete(id);
  }

  // Forgets whom the engine no longer lists.
  keep(isListed: (id: string) => boolean): void {
    for (const id of [...this.#entries.keys()]) if (!isListed(id)) this.stays(id);
  }
  clear(): void {
    this.keep(() => false);
  }

  #ageMs(at: string): number {
    return Math.max(0, Date.now() + this.clockAheadMs - Number(at) * 1000);
  }
  #set(id: string, entry: Entry): boolean {
    const before = this.#entries.get(id);
    clearTimeout(before?.timer);
    this.#entries.set(id, entry);
    return before?.reason !== entry.reason;
  }
}
