import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wishOf } from '../../../src/providers/docker-labels.ts';
import { container, rules } from '../../fixtures/containers.ts';

const wish = (
  labels: Record<string, string>,
  more: Parameters<typeof container>[1] = {},
  given: Partial<typeof rules> = {},
) => wishOf(container(labels, more), { ...rules, ...given });
const enabled = { 'sluice.enable': 'true' };

describe('own labels', () => {
  it('have defaults for everything but the wish itself', () => {
    expect(wish(enabled)).toMatchObject({
      kind: 'intents',
      intents: [
        {
          place: { text: ':80', on: { kind: 'open' } },
          hosts: [''],
          pathPrefix: '',
          port: 80,
          weight: 1,
          strategy: 'round_robin',
        },
      ],
    });
  });

  it('say host, path, port, place, weight, network, health and drain', () => {
    const read = wish({
      ...enabled,
      'sluice.host': 'A.example, *.b.example,a.example',
      'sluice.path': '/api/',
      'sluice.port': '8080',
      'sluice.listen': 'web',
      'sluice.weight': '3',
      'sluice.network': 'front',
      'sluice.health.path': '/ready?deep=1',
      'sluice.drain.timeout': '1m30s',
    });
    expect(read).toEqual({
      kind: 'intents',
      intents: [
        {
          place: { text: 'web', on: { kind: 'name', listener: 'web' } },
          hosts: ['a.example', '*.b.example'],
          pathPrefix: '/api',
          port: 8080,
          weight: 3,
          network: 'front',
          strategy: 'round_robin',
          healthPath: '/ready?deep=1',
          drainTimeoutMs: 90_000,
        },
      ],
    });
  });

  it.each([
    [{ 'sluice.host': 'a b' }, /sluice\.host: expected a host name.*found 'a b'/],
    [{ 'sluice.path': 'api' }, /sluice\.path: expected a path that begins/],
    [{ 'sluice.port': '0' }, /sluice\.port: expected a port from 1 to 65535, found '0'/],
    [{ 'sluice.port': '80/tcp' }, /sluice\.port/],
    [{ 'sluice.listen': 'a.example:80' }, /sluice\.listen: expected the name of a listener/],
    [{ 'sluice.listen': 'fd:3' }, /sluice\.listen/],
    [{ 'sluice.listen': '0' }, /sluice\.listen/],
    [{ 'sluice.weight': '65536' }, /sluice\.weight: expected a whole number/],
    [{ 'sluice.network': '' }, /sluice\.network: expected the name/],
    [{ 'sluice.health.path': 'health' }, /sluice\.health\.path/],
    [{ 'sluice.drain.timeout': '5' }, /sluice\.drain\.timeout: expected a duration/],
    [{ 'sluice.enabled': 'true' }, /sluice\.enabled is unknown; there is enable, host/],
  ])('with a mistake skip the container: %j', (labels, reason) => {
    expect(wish({ ...enabled, ...labels })).toEqual({
      kind: 'skipped',
      reason: expect.stringMatching(reason),
    });
  });

  it('need a port where the image does not name exactly one', () => {
    const none = wish(enabled, { exposed: [] });
    expect(none).toMatchObject({
      kind: 'skipped',
      reason: expect.stringMatching(/sluice\.port.*exposes no TCP port/),
    });
    const two = wish(enabled, { exposed: [80, 443] });
    expect(two).toMatchObject({
      kind: 'skipped',
      reason: expect.stringMatching(/exposes 80, 443/),
    });
    const said = wish({ ...enabled, 'sluice.port': '443' }, { exposed: [80, 443] });
    expect(said).toMatchObject({ intents: [{ port: 443 }] });
  });

  it('are needed, unless containers are exposed by default', () => {
    expect(wish({})).toEqual({ kind: 'ignored', reason: 'nothing asks for it' });
    expect(wish({ 'sluice.host': 'a.example' })).toMatchObject({
      kind: 'ignored',
      reason: expect.stringMatching(/not sluice\.enable=true/),
    });
    expect(wish({}, {}, { exposedByDefault: true }).kind).toBe('intents');
    const no = wish({ 'sluice.enable': 'no' }, {}, { exposedByDefault: true });
    expect(no).toMatchObject({ kind: 'ignored' });
    expect(wish({ 'sluice.enable': 'maybe' })).toMatchObject({
      kind: 'skipped',
      reason: expect.stringMatching(/'true' or 'false', found 'maybe'/),
    });
  });
});

describe('the labels of docker-loadbalancer', () => {
  const web = { 'lb.enable': 'Y', 'lb.publish': '80', 'lb.target': '8080' };

  it('publish a port, at an address or at all', () => {
    expect(wish(web)).toMatchObject({
      intents: [{ place: { text: ':80' }, port: 8080, strategy: 'least_connections' }],
    });
    expect(wish({ ...web, 'lb.dst_addr': '10.0.0.1' })).toMatchObject({
      intents: [{ place: { text: '10.0.0.1:80' } }],
    });
    expect(wish({ ...web, 'lb.enable': 'N' })).toMatchObject({ kind: 'ignored' });
  });

  it.each([
    [{ 'lb.ssl': '/a.pem' }, /lb\.ssl: TLS is not supported yet/],
    [{ 'lb.publish': 'http' }, /lb\.publish: expected a port/],
    [{ 'lb.target': '' }, /lb\.target: expected a port/],
    [{ 'lb.dst_addr': 'eth0' }, /lb\.dst_addr: expected an IP address/],
    [{ 'lb.port': '1' }, /lb\.port is unknown/],
  ])('with a mistake skip the container: %j', (labels, reason) => {
    expect(wish({ ...web, ...labels })).toMatchObject({
      kind: 'skipped',
      reason: expect.stringMatching(reason),
    });
  });

  it('need both ports', () => {
    const { reason } = wish({ 'lb.enable': 'Y' }) as { reason: string };
    expect(reason).toMatch(/lb\.publish.*lb\.target/);
  });

  it('stand beside own ones', () => {
    const both = wish({ ...web, ...enabled, 'sluice.host': 'a.example' });
    expect(both).toMatchObject({ intents: [{ hosts: ['a.example'] }, { hosts: [''] }] });
    // The one that asks is enough.
    const one = wish(web, {}, { exposedByDefault: true });
    expect(one).toMatchObject({ intents: [{ strategy: 'least_connections' }] });
  });
});

describe('mappings of images', () => {
  const images = [{ image: 'nginx', listen: '8080', port: 80 }];

  it('need no label, and end at sluice.enable=false', () => {
    expect(wish({}, { exposed: [] }, { images })).toMatchObject({
      intents: [{ place: { text: ':8080' }, port: 80 }],
    });
    expect(wish({ 'sluice.enable': 'false' }, {}, { images }).kind).toBe('ignored');
    expect(wish({}, { image: 'redis' }, { images }).kind).toBe('ignored');
  });
});

describe('any labels', () => {
  const key = fc.oneof(
    fc.constantFrom('enable', 'host', 'path', 'port', 'listen', 'weight', 'publish', 'target'),
    fc.constantFrom('network', 'health.path', 'drain.timeout', 'dst_addr', 'ssl'),
    fc.string(),
  );
  const value = fc.oneof(
    fc.string(),
    fc.constantFrom('true', 'Y', '80', ':80', '[::1]:80', '/a', '*.a.example', '5s', '0'),
  );
  const labels = fc.dictionary(
    fc.tuple(fc.constantFrom('sluice.', 'lb.', ''), key).map((parts) => parts.join('')),
    value,
  );

  it('give intents that can be in force, or a reason', () => {
    fc.assert(
      fc.property(labels, fc.boolean(), (all, exposedByDefault) => {
        const read = wish({ ...all }, {}, { exposedByDefault });
        if (read.kind !== 'intents') {
          expect(read.reason).not.toBe('');
          return;
        }
        expect(read.intents.length).toBeGreaterThan(0);
        for (const { port, weight, hosts, place, pathPrefix } of read.intents) {
          expect(port >= 1 && port <= 65_535).toBe(true);
          expect(weight >= 0 && weight <= 65_535).toBe(true);
          expect(hosts.length).toBeGreaterThan(0);
          expect(pathPrefix === '' || pathPrefix.startsWith('/')).toBe(true);
          expect(place.text).not.toContain('@');
          if (place.on.kind === 'open') {
            expect(place.on.listener.target.kind).toBe('address');
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('of others change nothing', () => {
    const other = fc.string().filter((name) => !/^(sluice|lb)\./.test(name));
    fc.assert(
      fc.property(fc.dictionary(other, fc.string()), (all) => {
        expect(wish({ ...all, ...enabled })).toEqual(wish(enabled));
      }),
    );
  });
});
