import { describe, expect, it } from 'vitest';
import { parseBackendAddress } from '../../../src/config/address.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { resolveDesired, withAddress } from '../../../src/config/resolve.ts';
import type { Backend, Desired } from '../../../src/model/types.ts';
import { merge } from '../../../src/providers/merge.ts';
import { OverridesProvider } from '../../../src/providers/overrides.ts';
import { StatedProvider } from '../../../src/providers/stated.ts';

function backend(text: string, weight = 1): Backend {
  const address = parseBackendAddress(text);
  if (address === undefined || address.kind === 'name') throw new Error(text);
  return withAddress({ id: address.text, address, weight }, address);
}

const file = (backends: readonly string[]): Promise<Desired<Backend>> =>
  resolveDesired(parseConfig({ listeners: {}, pools: { web: { backends } } }, 'file'));

const idsOf = (states: Desired<Backend>[]) => [
  ...(merge(states).model.pools.get('web')?.backends.keys() ?? []),
];

describe('merge', () => {
  it('adds, takes away and reweights what another provider states', async () => {
    const api = new OverridesProvider();
    const states = await file(['10.0.0.1:1', '10.0.0.2:1']);
    api.add('web', backend('10.0.0.3:1'));
    api.remove('web', '10.0.0.1:1', true);
    api.setWeight('web', '10.0.0.2:1', 9);
    const { model } = merge([states, api.state()]);
    const all = [...(model.pools.get('web')?.backends.values() ?? [])];
    expect(all.map(({ id, weight }) => [id, weight])).toEqual([
      ['10.0.0.2:1', 9],
      ['10.0.0.3:1', 1],
    ]);
    // A reload of the file leaves that as it is.
    expect(idsOf([await file(['10.0.0.1:1', '10.0.0.5:1']), api.state()])).toEqual([
      '10.0.0.5:1',
      '10.0.0.3:1',
    ]);
    api.add('web', backend('10.0.0.1:1'));
    expect(idsOf([states, api.state()])).toContain('10.0.0.1:1');
  });

  it('keeps the object of a pool that nobody restated', async () => {
    const api = new OverridesProvider();
    const states = await file(['10.0.0.1:1']);
    const before = merge([states, api.state()]);
    const after = merge([states, api.state()], before);
    expect(after.model.pools.get('web')).toBe(before.model.pools.get('web'));
    api.add('web', backend('10.0.0.2:1'));
    const third = merge([states, api.state()], after);
    expect(third.model.pools.get('web')?.backends.size).toBe(2);
  });

  it('leaves a definition with who had it first, and flags the other', async () => {
    const first = { ...(await file(['10.0.0.1:1'])), settings: undefined };
    const other = { ...(await file(['10.0.0.2:1'])), source: 'other', settings: undefined };
    const before = merge([other]);
    const after = merge([first, other], before);
    expect([...(after.model.pools.get('web')?.backends.keys() ?? [])]).toEqual(['10.0.0.2:1']);
    expect(after.flags).toEqual([
      {
        source: 'file',
        origin: '',
        what: 'pool web',
        reason: "provider 'other' defines it already",
      },
    ]);
    // Gone, it is the other's turn.
    const third = merge([first], after);
    expect([...(third.model.pools.get('web')?.backends.keys() ?? [])]).toEqual(['10.0.0.1:1']);
    expect(third.flags).toEqual([]);
  });

  it('lets additions to a pool that does not exist wait', () => {
    const api = new OverridesProvider();
    api.add('nowhere', backend('10.0.0.1:1'));
    expect(merge([api.state()]).model.pools.size).toBe(0);
  });
});

describe('OverridesProvider', () => {
  it('goes back to what it stated', async () => {
    const base = new StatedProvider('config');
    base.replace(await file(['10.0.0.1:1']));
    const api = new OverridesProvider();
    const back = [base.checkpoint(), api.checkpoint()];
    api.add('web', backend('10.0.0.2:1'));
    api.setDrained('web', '10.0.0.1:1', true);
    base.replace(await file([]));
    expect(api.states('web', '10.0.0.2:1')).toBe(true);
    expect(idsOf([base.state(), api.state()])).toEqual(['10.0.0.2:1']);
    for (const one of back) one();
    expect(api.states('web', '10.0.0.2:1')).toBeUndefined();
    expect(api.isDrained('web', '10.0.0.1:1')).toBe(false);
    expect(idsOf([base.state(), api.state()])).toEqual(['10.0.0.1:1']);
  });

  it('states the same objects while nothing changes', () => {
    const api = new OverridesProvider();
    api.add('web', backend('10.0.0.1:1'));
    expect(api.state().pools.get('web')).toBe(api.state().pools.get('web'));
  });
});
