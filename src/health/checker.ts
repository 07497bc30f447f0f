// Asks every wanted target how it is, again and again. Knows no pools and no shared memory: targets
// come by `want`, verdicts go to a setter.
//
// The first check of a target is made at once, the second after a part of the interval that differs
// from target to target, so that they spread; from then on one follows the other after nine tenths
// of the interval or more, never more than all of it. Few start at one instant and not too many are
// under way, so that 1,000 targets keep neither this process nor the network busy.
import type { CheckReport, CheckResult, HealthCheck } from '../model/health.ts';
import { checkResults, sameCheck } from '../model/health.ts';
import type { Address } from '../model/types.ts';
import type { Finding, Probe } from './probe.ts';
import { judge, type Standing, unjudged, type Verdict } from './threshold.ts';

// What is checked; `Key` names it to the caller, who keeps it.
export interface Target<Key> {
  readonly key: Key;
  readonly address: Address;
  readonly check: HealthCheck;
}

export type StatusSetter<Key> = (key: Key, verdict: Verdict, report: CheckReport) => void;

export interface CheckerOptions<Key> {
  readonly probes: Readonly<Record<HealthCheck['type'], Probe>>;
  // Called when a verdict changes, with the check that changed it.
  readonly setStatus: StatusSetter<Key>;
  // 0 to 1.
  readonly random?: () => number;
}

export interface Watched {
  readonly verdict: Verdict;
  readonly last: CheckReport | undefined;
  readonly counts: Readonly<Record<CheckResult, number>>;
}

interface Entry<Key> {
  readonly key: Key;
  readonly address: Address;
  check: HealthCheck;
  standing: Standing;
  last: CheckReport | undefined;
  readonly counts: Record<CheckResult, number>;
  timer: NodeJS.Timeout | undefined;
  // Ends the check that is under way.
  cancel: (() => void) | undefined;
  isFirst: boolean;
}

const startsAtOnce = 32;
const startPauseMs = 10;
const underWayMax = 512;

export class Checker<Key> {
  readonly #options: CheckerOptions<Key>;
  readonly #random: () => number;
  readonly #entries = new Map<Key, Entry<Key>>();
  // Due, in the order in which they became so.
  readonly #due = new Set<Entry<Key>>();
  #underWay = 0;
  #pump: NodeJS.Timeout | undefined;

  constructor(options: CheckerOptions<Key>) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  get size(): number {
    return this.#entries.size;
  }

  // Goes on with targets it knows: they keep their verdict, and begin to count anew where their
  // check has changed. True when the target is new.
  want({ key, address, check }: Target<Key>): boolean {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      if (!sameCheck(known.check, check)) this.#change(known, check);
      return false;
    }
    const entry: Entry<Key> = {
      key,
      address,
      check,
      standing: unjudged,
      last: undefined,
      counts: Object.fromEntries(checkResults.map((result) => [result, 0])) as Entry<Key>['counts'],
      timer: undefined,
      cancel: undefined,
      isFirst: true,
    };
    this.#entries.set(key, entry);
    this.#queue(entry);
    return true;
  }

  // True when it was wanted.
  forget(key: Key): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    this.#entries.delete(key);
    this.#halt(entry);
    return true;
  }

  watched(key: Key): Watched | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    return { verdict: entry.standing.verdict, last: entry.last, counts: entry.counts };
  }

  stop(): void {
    for (const entry of this.#entries.values()) this.#halt(entry);
    this.#entries.clear();
    clearTimeout(this.#pump);
    this.#pump = undefined;
  }

  #change(entry: Entry<Key>, check: HealthCheck): void {
    this.#halt(entry);
    entry.check = check;
    entry.standing = { verdict: entry.standing.verdict, against: 0 };
    entry.isFirst = true;
    this.#queue(entry);
  }

  #halt(entry: Entry<Key>): void {
    clearTimeout(entry.timer);
    this.#due.delete(entry);
    if (entry.cancel === undefined) return;
    entry.cancel();
    entry.cancel = undefined;
    this.#underWay--;
  }

  #queue(entry: Entry<Key>): void {
    this.#due.add(entry);
    this.#wake(0);
  }

  #wake(afterMs: number): void {
    this.#pump ??= setTimeout(() => this.#start(), afterMs).unref();
  }

  #start(): void {
    this.#pump = undefined;
    let started = 0;
    for (const entry of this.#due) {
      if (this.#underWay >= underWayMax) return; // each that ends makes room
      if (started++ === startsAtOnce) {
        this.#wake(startPauseMs);
        return;
      }
      this.#due.delete(entry);
      this.#probe(entry);
    }
  }

  #probe(entry: Entry<Key>): void {
    const began = performance.now();
    const { address, check } = entry;
    this.#underWay++;
    // `done` may be called before the probe has returned how to end it.
    entry.cancel = () => {};
    let isOver = false;
    const cancel = this.#options.probes[check.type](address, check, (finding) => {
      isOver = true;
      entry.cancel = undefined;
      this.#underWay--;
      if (this.#due.size > 0) this.#wake(startPauseMs);
      this.#found(entry, finding, began);
    });
    if (!isOver) entry.cancel = cancel;
  }

  #found(entry: Entry<Key>, { result, reason }: Finding, began: number): void {
    const durationMs = performance.now() - began;
    const report = { result, reason, atMs: Date.now(), durationMs };
    const before = entry.standing.verdict;
    entry.standing = judge(entry.standing, result === 'success', entry.check);
    entry.last = report;
    entry.counts[result]++;
    const { intervalMs } = entry.check;
    const part = entry.isFirst ? 0.1 + 0.9 * this.#random() : 0.9 + 0.1 * this.#random();
    entry.isFirst = false;
    const wait = Math.max(0, intervalMs * part - durationMs);
    entry.timer = setTimeout(() => this.#queue(entry), wait).unref();
    const { verdict } = entry.standing;
    if (verdict !== before) this.#options.setStatus(entry.key, verdict, report);
  }
}
