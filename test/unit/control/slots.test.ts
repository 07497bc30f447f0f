import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Slots } from '../../../src/control/slots.ts';

describe('Slots', () => {
  it('takes the lowest free slot, with a new incarnation each time', () => {
    const slots = new Slots(3);
    expect([slots.take(), slots.take()]).toEqual([
      { slot: 0, incarnation: 1 },
      { slot: 1, incarnation: 1 },
    ]);
    slots.release(0, 5);
    expect(slots.take()).toEqual({ slot: 2, incarnation: 1 });
    expect(() => slots.take()).toThrow(RangeError);
    slots.collect((slot, sequence) => slot === 0 && sequence === 5);
    expect(slots.take()).toEqual({ slot: 0, incarnation: 2 });
  });

  it('never has a slot in two hands, nor one incarnation twice', () => {
    const step = fc.oneof(fc.constant('take'), fc.constant('release'), fc.constant('collect'));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const slots = new Slots(8);
        const held: number[] = [];
        const cooling = new Set<number>();
        const seen = new Set<string>();
        for (const what of steps) {
          if (what === 'take' && slots.available > 0) {
            const { slot, incarnation } = slots.take();
            if (held.includes(slot) || cooling.has(slot)) return false;
            if (seen.has(`${slot} ${incarnation}`)) return false;
            seen.add(`${slot} ${incarnation}`);
            held.push(slot);
          } else if (what === 'release') {
            const slot = held.shift();
            if (slot !== undefined) {
              cooling.add(slot);
              slots.release(slot, 1);
            }
          } else if (what === 'collect') {
            slots.collect((slot) => slot % 2 === 0 && cooling.delete(slot));
          }
          if (slots.available !== 8 - held.length - cooling.size) return false;
        }
        return true;
      }),
    );
  });
});
