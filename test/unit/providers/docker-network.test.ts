import { describe, expect, it } from 'vitest';
import type { Container } from '../../../src/providers/docker-facts.ts';
import {
  ownContainerId,
  reachOf,
  type Surroundings,
} from '../../../src/providers/docker-network.ts';
import { container } from '../../fixtures/containers.ts';

const networks = (...names: readonly string[]) =>
  names.map((name, index) => ({ name, address: `10.${index}.0.2` }));
const inNetworks = (...names: readonly string[]): Container =>
  container({}, { networks: networks(...names), networkMode: names[0] ?? '' });
const around = (some: Partial<Surroundings> = {}): Surroundings => ({
  self: undefined,
  engineHost: undefined,
  network: undefined,
  byId: new Map(),
  ...some,
});
const problem = (reason: RegExp) => ({ kind: 'problem', reason: expect.stringMatching(reason) });

describe('the network of a container', () => {
  it('is the label’s, and no other', () => {
    const both = inNetworks('a', 'b');
    expect(reachOf(both, 'b', around({ network: 'a' }))).toEqual({
      kind: 'address',
      host: '10.1.0.2',
    });
    expect(reachOf(both, 'c', around())).toEqual(problem(/not in network 'c'.*it is in a, b/));
  });

  it('is the configuration’s, where the container is in it', () => {
    const where = around({ network: 'b' });
    expect(reachOf(inNetworks('a', 'b'), undefined, where)).toMatchObject({ host: '10.1.0.2' });
    expect(reachOf(inNetworks('a'), undefined, where)).toMatchObject({ host: '10.0.0.2' });
  });

  it('is one that is shared with this process', () => {
    const self = inNetworks('b', 'c');
    const reach = (...names: string[]) =>
      reachOf(inNetworks(...names), undefined, around({ self }));
    expect(reach('a', 'b')).toMatchObject({ host: '10.1.0.2' });
    expect(reach('b', 'c').kind).toBe('address');
    expect(reach('a')).toEqual(problem(/no network is shared: it is in a, sluice in b, c/));
  });

  it('is the only one, seen from the host; several are a question', () => {
    expect(reachOf(inNetworks('a'), undefined, around())).toMatchObject({ host: '10.0.0.2' });
    // Swarm's mesh is nobody's way.
    expect(reachOf(inNetworks('ingress', 'a'), undefined, around())).toMatchObject({
      host: '10.1.0.2',
    });
    const host = container({}, { networkMode: 'host' });
    const several = problem(/several networks \(a, b\).*sluice\.network/);
    expect(reachOf(inNetworks('a', 'b'), undefined, around())).toEqual(several);
    expect(reachOf(inNetworks('a', 'b'), undefined, around({ self: host }))).toEqual(several);
  });

  it('may be the host’s, another container’s, or none', () => {
    const host = container({}, { networkMode: 'host', networks: networks('host') });
    expect(reachOf(host, undefined, around())).toMatchObject({ host: '127.0.0.1' });
    expect(reachOf(host, undefined, around({ engineHost: '10.9.9.9' }))).toMatchObject({
      host: '10.9.9.9',
    });
    expect(reachOf(host, undefined, around({ self: inNetworks('a') })).kind).toBe('problem');
    const other = inNetworks('a');
    const guest = container({}, { networkMode: `container:${other.id}`, networks: [] });
    const byId = new Map([[other.id, other]]);
    expect(reachOf(guest, undefined, around({ byId }))).toMatchObject({ host: '10.0.0.2' });
    expect(reachOf(guest, undefined, around())).toEqual(problem(/which does not run/));
    const none = container({}, { networkMode: 'none', networks: networks('none') });
    expect(reachOf(none, undefined, around())).toEqual(problem(/no network/));
  });
});

describe('the container of this process', () => {
  it('is named by the files the engine mounts', () => {
    const id = 'c0ffee'.padEnd(64, '0');
    const line = `1 2 8:1 /var/lib/docker/containers/${id}/hostname /etc/hostname rw - ext4 x rw`;
    expect(ownContainerId(`1 1 0:1 / / rw\n${line}\n`)).toBe(id);
    expect(ownContainerId('1 1 0:1 / / rw')).toBeUndefined();
  });
});
