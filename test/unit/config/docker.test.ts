import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { placeOf, placeText } from '../../../src/config/place.ts';
import { printModel } from '../../../src/config/print.ts';
import { SluiceError } from '../../../src/errors.ts';
import { createLogger } from '../../../src/log.ts';
import { DockerProvider, withFlags } from '../../../src/providers/docker.ts';
import { merge } from '../../../src/providers/merge.ts';

const dockerOf = (docker: unknown) =>
  parseConfig({ providers: { docker } }, 'file').settings?.docker;
const problemsOf = (docker: unknown): string[] => {
  try {
    dockerOf(docker);
    return [];
  } catch (error) {
    return (error as SluiceError).issues.map(({ path, message }) => `${path}: ${message}`);
  }
};

describe('providers.docker', () => {
  it('has defaults for everything', () => {
    const usual = {
      endpoint: undefined,
      tls: undefined,
      exposedByDefault: false,
      network: undefined,
      listen: ':80',
      images: [],
    };
    expect(dockerOf({})).toEqual(usual);
    expect(parseConfig({ providers: {} }, 'file').settings?.docker).toBeUndefined();
  });

  it('takes ports as numbers, and is printed as it was stated', () => {
    const stated = {
      endpoint: 'tcp://h:2376',
      exposedByDefault: true,
      network: 'front',
      listen: '8080',
      images: [{ image: 'nginx', listen: '81', port: 80 }],
      tls: { ca: '/ca.pem' },
    };
    const images = [{ image: 'nginx', listen: 81, port: 80 }];
    expect(dockerOf({ ...stated, listen: 8080, images })).toEqual(dockerOf(stated));
    const print = (docker: unknown) => {
      const config = { providers: { docker }, listeners: {}, pools: {} };
      return printModel(merge([parseConfig(config, 'file') as never]).model)['providers'];
    };
    expect(print(stated)).toEqual({ docker: stated });
    expect(print({})).toEqual({ docker: {} });
  });

  it.each([
    [true, /^providers\.docker: expected \{ endpoint, … \}/],
    [{ endpiont: '/a' }, /docker\.endpiont: unknown key/],
    [{ endpoint: 'ssh://h' }, /endpoint: expected an endpoint like/],
    [{ listen: 0 }, /listen: expected the name of a listener, a port/],
    [{ listen: 'fd:3' }, /listen: /],
    [{ network: '' }, /network: expected the name of a network/],
    [{ images: [{ image: ':x', listen: 80, port: 80 }] }, /images\[0\]\.image: expected an image/],
    [{ images: [{ image: 'x', listen: 80, port: 0 }] }, /images\[0\]\.port: expected a whole/],
    [{ images: [{ image: 'x' }] }, /images\[0\]\.listen/],
    [{ tls: { ca: '' } }, /tls\.ca: expected the path/],
  ])('refuses %j', (stated, expected) => {
    expect(problemsOf(stated)[0]).toMatch(expected);
  });
});

describe('places', () => {
  it('are names, ports and addresses', () => {
    expect(placeOf('web')).toMatchObject({ on: { kind: 'name', listener: 'web' } });
    for (const same of ['80', ':80']) expect(placeText(same)).toBe(':80');
    expect(placeText('[::1]:80')).toBe('[::1]:80');
    expect(placeOf(':80')).toMatchObject({ on: { kind: 'open', listener: { mode: 'http' } } });
    expect(placeText('not one')).toBe('not one');
  });
});

describe('the provider', () => {
  const mappings = { images: () => [] };
  const log = createLogger({ level: 'silent' });

  it('refuses an environment that names no engine', async () => {
    const provider = new DockerProvider({ log, mappings, env: { DOCKER_HOST: 'ssh://h' } });
    const settings = dockerOf({});
    expect(() => provider.check(settings)).toThrow(/DOCKER_HOST is "ssh:\/\/h".*an endpoint/);
    await expect(provider.configure(settings)).rejects.toThrow(SluiceError);
    expect(() => provider.check(dockerOf({ endpoint: '/a' }))).not.toThrow();
    expect(provider.status()).toBeUndefined();
  });

  it('says what others left of the wishes of containers', () => {
    const common = { id: 'x', image: 'i', address: 'a:1', pools: [], reason: undefined };
    const status = {
      connected: true,
      errors: 0,
      lastSyncMs: 1,
      error: undefined,
      endpoint: '/a',
      containers: [
        { ...common, name: 'one', state: 'balanced' as const, routes: ['http :80 /'] },
        { ...common, name: 'two', state: 'balanced' as const, routes: ['x', 'y'] },
        { ...common, name: 'three', state: 'balanced' as const, routes: ['z'] },
      ],
    };
    const flag = (name: string) => ({
      source: 'docker',
      origin: `container ${name}`,
      what: 'route',
      reason: 'taken',
    });
    const told = withFlags(status, [flag('one'), flag('two'), { ...flag('three'), source: 'api' }]);
    expect(told.containers.map(({ state, reason }) => [state, reason])).toEqual([
      ['skipped', 'route: taken'],
      ['balanced', 'route: taken'],
      ['balanced', undefined],
    ]);
  });
});
