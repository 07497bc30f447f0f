// Everything of a change that can fail, done before anything has changed: the statements are merged
// and checked, slots are counted, sockets are opened. A failure leaves nothing behind.
import type { Fleet } from '../addon/fleet.ts';
import { SluiceError } from '../errors.ts';
import { build } from '../model/build.ts';
import { type Changes, diff } from '../model/diff.ts';
import { limits } from '../model/limits.ts';
import type { Backend, Desired, Model } from '../model/types.ts';
import { type Merged, merge } from '../providers/merge.ts';
import { ending, openListeners, takenOver } from './listeners.ts';
import type { OpenedListener } from './records.ts';
import type { State } from './state.ts';

export interface Preparing {
  readonly fleet: Fleet;
  readonly workers: number;
  readonly state: State;
  readonly states: readonly Desired<Backend>[];
  readonly before: Merged;
  // Why listeners that are wanted for attached routes alone cannot be opened, by name; those that
  // fail now are added.
  readonly refused: Map<string, string>;
  // Throws when a snapshot is needed and none can be written.
  readonly needsSnapshot: (changes: Changes) => boolean;
  // Called once the statements are known to be valid.
  readonly collect: () => void;
}

export interface Prepared {
  readonly merged: Merged;
  readonly model: Model;
  readonly changes: Changes;
  readonly structural: boolean;
  // By name, whose sockets a listener takes over.
  readonly taken: ReadonlyMap<string, string>;
  // Listeners that end.
  readonly former: readonly OpenedListener[];
  readonly opened: ReadonlyMap<string, OpenedListener>;
}

function attempt(given: Preparing): Prepared {
  const { fleet, workers, state, states, before, refused } = given;
  const merged = merge(states, before, refused);
  const model = build(merged.model);
  const changes = diff(before.model, model);
  const structural = given.needsSnapshot(changes);
  given.collect();
  const taken = takenOver(changes);
  state.checkRoom(changes, taken);
  const former = ending(changes, taken).flatMap((name) => state.listeners.get(name)?.opened ?? []);
  const inUse = [...state.listeners.values()].reduce(
    (sum, { opened }) => sum + opened.descriptors.length,
    0,
  );
  try {
    const opened = openListeners(fleet, changes, taken, workers, inUse);
    return { merged, model, changes, structural, taken, former, opened };
  } catch (error) {
    throw new Unopened(error, merged.opened);
  }
}

// Sockets could not be opened; which listeners others can do without.
class Unopened {
  readonly error: unknown;
  readonly optional: ReadonlySet<string>;
  constructor(error: unknown, optional: ReadonlySet<string>) {
    this.error = error;
    this.optional = optional;
  }
  // The optional listener that is to blame, and why.
  get blamed(): readonly [string, string] | undefined {
    const { error } = this;
    if (!(error instanceof SluiceError) || error.code !== 'ERR_SLUICE_LISTEN') return undefined;
    const name = String(error.details.listener).replace(/^listeners\./, '');
    return this.optional.has(name) ? [name, error.message] : undefined;
  }
}

// A port that a container asks for and somebody else has must not keep other changes away: the
// listener is left out, and flagged.
export function prepare(given: Preparing): Prepared {
  for (let tries = 0; tries <= limits.listenersMax; tries++) {
    try {
      return attempt(given);
    } catch (error) {
      if (!(error instanceof Unopened)) throw error;
      if (error.blamed === undefined) throw error.error;
      given.refused.set(...error.blamed);
    }
  }
  throw new TypeError('more listeners failed than there can be');
}
