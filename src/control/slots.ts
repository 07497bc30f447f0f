// Stable slot numbers with incarnations. A slot that was given back cools until nobody can still
// mean its old incarnation; the lowest free slot is taken first, so that little of the shared
// memory is touched.

const incarnationMax = 0xffffff;

export interface Taken {
  readonly slot: number;
  readonly incarnation: number;
}

interface Cooling {
  readonly slot: number;
  // The publication that no longer names the slot.
  readonly sequence: number;
}

export class Slots {
  readonly #max: number;
  // Last incarnation of each slot; 0: never used.
  readonly #incarnations: Uint32Array;
  readonly #taken: Uint8Array;
  // No slot below is free.
  #lowest = 0;
  #available: number;
  #cooling: Cooling[] = [];

  constructor(max: number) {
    this.#max = max;
    this.#incarnations = new Uint32Array(max);
    this.#taken = new Uint8Array(max);
    this.#available = max;
  }

  get available(): number {
    return this.#available;
  }
  get cooling(): number {
    return this.#cooling.length;
  }

  // The caller has checked that one is available.
  take(): Taken {
    while (this.#lowest < this.#max && this.#taken[this.#lowest] === 1) this.#lowest++;
    const slot = this.#lowest;
    if (slot >= this.#max) throw new RangeError('no slot is free');
    const last = this.#incarnations[slot] ?? 0;
    const incarnation = last >= incarnationMax ? 1 : last + 1;
    this.#incarnations[slot] = incarnation;
    this.#taken[slot] = 1;
    this.#available--;
    return { slot, incarnation };
  }

  // Gives a slot back that the publication `sequence` no longer names.
  release(slot: number, sequence: number): void {
    this.#cooling.push({ slot, sequence });
  }

  // Frees the cooled slots that `isQuiet` vouches for.
  collect(isQuiet: (slot: number, sequence: number) => boolean): void {
    if (this.#cooling.length === 0) return;
    this.#cooling = this.#cooling.filter(({ slot, sequence }) => {
      if (!isQuiet(slot, sequence)) return true;
      this.#taken[slot] = 0;
      this.#available++;
      if (slot < this.#lowest) this.#lowest = slot;
      return false;
    });
  }
}
