// Choices that a seed decides. What happens between processes stays the machine's to decide, so a
// seed gives the same kinds of things in the same order, not the same run.
import { randomBytes } from 'node:crypto';

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  // From 0 up to, but not including, the limit (mulberry32).
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }
  // Once in so many times.
  oneIn(count: number): boolean {
    return this.below(count) === 0;
  }
  of<Item>(items: readonly [Item, ...Item[]]): Item {
    return items[this.below(items.length)] ?? items[0];
  }
  bytes(length: number): Buffer {
    return randomBytes(length);
  }
}
