// Words that change without a new snapshot, and the two numbers that tell workers to look. The
// words are written first, then the pools' epochs, then the numbers, which the data plane stores
// with release order.
import type { Fleet } from '../addon/fleet.ts';
import { AdminState, HealthState } from '../shm/layout.gen.ts';
import type { BackendView, CheckView, EjectionView } from '../shm/read.ts';
import { type Region, sequenceOf } from '../shm/region.ts';
import type { Target } from './acks.ts';
import type { BackendRecord } from './records.ts';

export class Live {
  readonly #region: Region;
  readonly #fleet: Pick<Fleet, 'notify'>;
  readonly #touched = new Set<number>();
  #generation = 0;
  #sequence = 0;

  constructor(region: Region, fleet: Pick<Fleet, 'notify'>) {
    this.#region = region;
    this.#fleet = fleet;
  }

  get generation(): number {
    return this.#generation;
  }
  // What a worker that has taken everything over has reached.
  get target(): Target {
    return { sequence: sequenceOf(this.#generation), live: this.#sequence };
  }

  // The words of a slot that gets a new backend. They are published with the snapshot.
  begin({ slot, incarnation, weight, pool }: BackendRecord): void {
    this.#region.writeAdmin(slot, AdminState.up);
    this.#region.writeHealth(slot, incarnation, HealthState.unknown);
    this.#region.writeWeight(slot, weight);
    this.#touched.add(pool.slot);
  }
  admin(record: BackendRecord, state: BackendRecord['admin']): void {
    record.admin = state;
    this.#region.writeAdmin(record.slot, AdminState[state]);
    this.#touched.add(record.pool.slot);
  }
  weight(record: BackendRecord, weight: number): void {
    record.weight = weight;
    this.#region.writeWeight(record.slot, weight);
    this.#touched.add(record.pool.slot);
  }
  health({ slot, incarnation, pool }: BackendRecord, state: keyof typeof HealthState): void {
    this.#region.writeHealth(slot, incarnation, HealthState[state]);
    this.#touched.add(pool.slot);
  }

  // Tells the workers of everything written since the last call, and of a new snapshot, if any.
  post(generation: number = this.#generation): Target {
    for (const pool of this.#touched) this.#region.bumpPool(pool);
    if (this.#touched.size > 0) this.#sequence = (this.#sequence + 1) >>> 0;
    this.#touched.clear();
    this.#generation = generation;
    this.#fleet.notify(generation, this.#sequence);
    return this.target;
  }

  view(
    record: BackendRecord,
    check: CheckView | undefined,
    ejection: EjectionView | undefined,
  ): BackendView {
    const { slot, incarnation, backend, admin, weight } = record;
    const { health } = this.#region.readLive(slot);
    const inFlight = this.#region.inFlight(slot);
    const known = health >>> 8 === incarnation ? health & 0xff : HealthState.unknown;
    const names = Object.keys(HealthState) as (keyof typeof HealthState)[];
    const found = names.find((name) => HealthState[name] === known) ?? 'unknown';
    return {
      id: backend.id,
      address: backend.address.text,
      slot,
      incarnation,
      state: admin === 'up' ? 'up' : inFlight > 0 ? 'draining' : 'drained',
      health: found !== 'unhealthy' && ejection !== undefined ? 'ejected' : found,
      check,
      ejection,
      weight,
      inFlight,
      removing: record.retirement !== undefined,
    };
  }
}
