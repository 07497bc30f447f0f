import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/cli/failure.ts';
import { withOverrides } from '../../../src/cli/overrides.ts';
import type { Config } from '../../../src/config/schema.ts';
import { adminDefault } from '../../../src/config/schema-admin.ts';

const config: Config = {
  workers: 4,
  engine: 'epoll',
  admin: { listen: '127.0.0.1:1' },
  listeners: {},
  pools: {},
};

describe('overrides', () => {
  it('leave alone what they do not name', () => {
    expect(withOverrides(config, {})).toEqual(config);
  });

  it('win over the file', () => {
    const given = { workers: '2', engine: 'auto', logLevel: 'debug', admin: 'unix:/x' } as const;
    expect(withOverrides(config, given)).toEqual({
      ...config,
      workers: 2,
      engine: 'auto',
      logLevel: 'debug',
      admin: { listen: 'unix:/x' },
    });
    expect(withOverrides(config, { workers: 'auto' }).workers).toBe('auto');
  });

  it('give the admin API its address, unless it is off', () => {
    const plain = { listeners: {}, pools: {} };
    expect(withOverrides(plain, {}).admin).toEqual({ listen: adminDefault });
    expect(withOverrides(plain, { admin: 'off' })).not.toHaveProperty('admin');
    expect(withOverrides(config, { admin: 'off' })).not.toHaveProperty('admin');
  });

  it('watch a container engine, of the file or another, or none', () => {
    const watching = { ...config, providers: { docker: { endpoint: '/a', listen: 81 } } };
    const docker = (given: string | true, of: Config = watching) =>
      withOverrides(of, { docker: given }).providers?.docker;
    for (const yes of [true, 'true', '1', ''] as const) {
      expect(docker(yes)).toEqual(watching.providers.docker);
      expect(docker(yes, config)).toEqual({});
    }
    for (const no of ['off', 'false', '0']) expect(docker(no)).toBeUndefined();
    expect(docker('tcp://h:1')).toEqual({ endpoint: 'tcp://h:1', listen: 81 });
    expect(withOverrides(watching, {}).providers).toEqual(watching.providers);
  });

  it.each([
    { docker: 'ssh://host' },
    { workers: '0' },
    { workers: '1.5' },
    { workers: '129' },
    { workers: '' },
    { admin: '' },
    { admin: 'nowhere' },
    { admin: '127.0.0.1:99999' },
  ])('refuse %j', (given) => {
    expect(() => withOverrides(config, given)).toThrow(UsageError);
  });
});
