// What the command line itself answers, without a balancer.
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../../src/cli/program.ts';
import { freePorts } from '../../fixtures/load-programs.ts';

beforeEach(() => {
  vi.stubEnv('SLUICE_ADMIN', '127.0.0.1:1');
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

async function sluice(...args: string[]) {
  const [out, errors]: [string[], string[]] = [[], []];
  const into = (list: string[]) => (text: unknown) => {
    list.push(String(text));
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(into(out));
  vi.spyOn(process.stderr, 'write').mockImplementation(into(errors));
  const status = await main(args);
  vi.restoreAllMocks();
  return { status, stdout: out.join(''), stderr: errors.join('') };
}

describe('where no balancer answers', () => {
  it.each([
    [['status'], 1],
    [['pools'], 1],
    [['backends'], 1],
    [['events'], 1],
    [['events', '--follow'], 1],
    [['reload'], 1],
    [['drain', 'web/127.0.0.1:1'], 1],
    [['undrain', 'web/127.0.0.1:1'], 1],
    [['weight', 'web/127.0.0.1:1', '2'], 1],
    [['map-image', 'nginx:1', '80', '80'], 1],
    [['stop-port', '80'], 1],
    [['top', '--once'], 1],
    // As diff(1): something went wrong.
    [['diff'], 2],
  ])('%j says where it looked, and ends with %i', async (args, code) => {
    const [port = 0] = await freePorts(1);
    vi.stubEnv('SLUICE_ADMIN', `127.0.0.1:${port}`);
    const { status, stdout, stderr } = await sluice(...args);
    expect({ status, stdout }).toEqual({ status: code, stdout: '' });
    expect(stderr).toMatch(
      /^sluice: no sluice answers at 127\.0\.0\.1:\d+: .*ECONNREFUSED.*--admin/,
    );
  });
});

describe('wrong use', () => {
  it.each([
    [['drain']],
    [['drain', 'web']],
    [['drain', '/127.0.0.1:1']],
    [['drain', 'web/']],
    [['weight', 'web/127.0.0.1:1', 'much']],
    [['weight', 'web/127.0.0.1:1', '70000']],
    [['map-image', 'nginx:1', '80', '0']],
    [['events', '--since', 'yesterday']],
    [['pools', '--admin', 'off']],
    [['pools', '--admin', 'nowhere']],
    [['pools', '-o', 'yaml']],
    [['top', '-i', '0.01']],
    [['top', '--pid', 'x']],
    [['top', '--sort', 'size']],
    [['doctor', '-c', '/nowhere/sluice.yaml']],
    [['completion', 'csh']],
  ])('%j is refused with code 2', async (args) => {
    const { status, stderr } = await sluice(...args);
    expect(status).toBe(2);
    expect(stderr).not.toBe('');
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

describe('without anything else', () => {
  it('the version is told', async () => {
    expect((await sluice('version')).stdout).toMatch(/^sluice \d+\.\d+\.\d+\n$/);
    for (const args of [['--json'], ['-o', 'json']]) {
      expect(JSON.parse((await sluice('version', ...args)).stdout)).toMatchObject({
        version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
        node: process.version,
        layout: expect.stringMatching(/^[0-9a-f]{16}$/),
      });
    }
  });

  it('commands and options are completed in bash', async () => {
    const script = `${(await sluice('completion', 'bash')).stdout}
      COMP_WORDS=(sluice dr); COMP_CWORD=1; _sluice; echo "\${COMPREPLY[@]}"
      COMP_WORDS=(sluice drain --w); COMP_CWORD=2; _sluice; echo "\${COMPREPLY[@]}"`;
    const { stdout } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
    expect(stdout).toBe('drain\n--wait\n');
    for (const shell of ['zsh', 'fish']) {
      expect((await sluice('completion', shell)).stdout).toContain('undrain');
    }
  });
});
