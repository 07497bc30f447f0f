// Rates per second from totals that are read again and again. Pure but for what it holds.

interface Entry {
  readonly total: number;
  readonly atMs: number;
  readonly rate: number | undefined;
}

export class Rates {
  readonly #entries = new Map<string, Entry>();

  // Undefined until a total was read twice, and when it shrank: then it is another one.
  take(key: string, total: number, atMs: number): void {
    const before = this.#entries.get(key);
    const seconds = before === undefined ? 0 : (atMs - before.atMs) / 1000;
    if (before !== undefined && seconds <= 0) return;
    const isOther = before === undefined || total < before.total;
    const rate = isOther ? undefined : (total - before.total) / seconds;
    this.#entries.set(key, { total, atMs, rate });
  }

  of(key: string): number | undefined {
    return this.#entries.get(key)?.rate;
  }

  // Forgets what was not read for so long.
  forget(beforeMs: number): void {
    for (const [key, { atMs }] of this.#entries) if (atMs < beforeMs) this.#entries.delete(key);
  }
}
