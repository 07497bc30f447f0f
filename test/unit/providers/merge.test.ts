import { describe, expect, it } from 'vitest';
import { parseBackendAddress } from '../../../src/config/address.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { resolveDesired, withAddress } from '../../../src/config/resolve.ts';
import type { Backend, Desired } from '../../../src/model/types.ts';
import { ApiProvider } from '../../../src/providers/api.ts';
import { merge } from '../../../src/providers/merge.ts';

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
    const api = new ApiProvider();
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
    const api = new ApiProvider();
    const states = await file(['10.0.0.1:1']);
    const before = merge([states, api.state()]);
    const after = merge([states, api.state()], before);
    expect(after.model.pools.get('web')).toBe(before.model.pools.get('web'));
    api.add('web', backend('10.0.0.2:1'));
    const third = merge([states, api.state()], after);
    expect(third.model.pools.get('web')?.backends.size).toBe(2);
  });

  it('refuses two definitions of one thing', async () => {
    const other = { ...(await file([])), source: 'other', settings: undefined };
    expect(() => merge([other, { ...other, source: 'third' }])).toThrow(
      expect.objectContaining({
        code: 'ERR_SLUICE_CONFLICT',
        message: "pool 'web' is stated by both other and third",
      }),
    );
  });

  it('lets additions to a pool that does not exist wait', () => {
    const api = new ApiProvider();
    api.add('nowhere', backend('10.0.0.1:1'));
    expect(merge([api.state()]).model.pools.size).toBe(0);
  });
});

describe('ApiProvider', () => {
  it('goes back to what it stated', async () => {
    const api = new ApiProvider();
    api.restore({ ...(await file(['10.0.0.1:1'])), source: 'api' });
    const before = api.state();
    api.add('web', backend('10.0.0.2:1'));
    expect(api.states('web', '10.0.0.2:1')).toBe(true);
    expect(idsOf([api.state()])).toEqual(['10.0.0.1:1', '10.0.0.2:1']);
    api.restore(before);
    expect(api.states('web', '10.0.0.2:1')).toBeUndefined();
    expect(idsOf([api.state()])).toEqual(['10.0.0.1:1']);
  });

  it('states the same objects while nothing changes', () => {
    const api = new ApiProvider();
    api.add('web', backend('10.0.0.1:1'));
    expect(api.state().pools.get('web')).toBe(api.state().pools.get('web'));
  });
});
