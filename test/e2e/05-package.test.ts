// The package as users get it: packed, installed into an empty folder without install scripts, and
// run on every node version that it promises to support.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engines, root } from '../fixtures/scene.ts';

const minutes = (count: number): number => count * 60_000;
const maxPackedBytes = 1_500_000;
const maxUnpackedBytes = 5_000_000;

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

interface Traffic {
  readonly node: string;
  readonly engines: readonly string[];
  readonly accepted: readonly number[]; // by each worker
  readonly echoed: number;
  readonly connections: readonly number[];
}

function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: minutes(4),
  });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')}: exit ${status}\n${stdout}${stderr}`);
}

const tsx = join(root, 'node_modules/.bin/tsx');
const npmInstall = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-save'];

// A node binary of one major version, from its npm package; kept, as it is 100 MB.
function nodeBinary(major: number): string {
  const name = `node-linux-${process.arch}`;
  const folder = join(root, '.cache', `node-${major}`);
  const binary = join(folder, 'node_modules', name, 'bin/node');
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    run('npm', [...npmInstall, `--prefix=${folder}`, `${name}@${major}`], folder);
  }
  return binary;
}

describe('the packed package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-package-'));
  const installed = join(folder, 'node_modules/sluice');
  let packed: Packed;

  beforeAll(() => {
    run(tsx, ['scripts/build.ts'], root);
    run(tsx, ['scripts/prebuilds.ts', '--if-stale'], root);
    const pack = ['pack', '--json', '--ignore-scripts', `--pack-destination=${folder}`];
    const [report] = JSON.parse(run('npm', pack, root)) as Packed[];
    if (report === undefined) throw new Error('npm pack reported nothing');
    packed = report;
    const tarball = join(folder, packed.filename);
    run('npm', [...npmInstall, `--prefix=${folder}`, tarball], folder);
  }, minutes(8));

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('holds what users need', () => {
    const paths = packed.files.map(({ path }) => path);
    const needed = [
      'package.json',
      'LICENSE',
      'README.md',
      'dist/main.js',
      'dist/index.js',
      'dist/index.d.ts',
      'dist/config.schema.json',
      `prebuilds/linux-${process.arch}/sluice.glibc.node`,
    ];
    expect(needed.filter((path) => !paths.includes(path))).toEqual([]);
  });

  it('holds nothing else', () => {
    const folders = /^(?:dist|prebuilds|native|examples|docs)\//;
    const files = /^(?:package\.json|binding\.gyp|LICENSE|[A-Z]+\.md)$/;
    const paths = packed.files.map(({ path }) => path);
    expect(paths.filter((path) => !folders.test(path) && !files.test(path))).toEqual([]);
    expect(
      paths.filter((path) => /(?:^|\/)\.|\.test\.|_test\.|\.o$|tsbuildinfo/.test(path)),
    ).toEqual([]);
  });

  it('stays within its size', () => {
    expect(packed.size).toBeLessThan(maxPackedBytes);
    expect(packed.unpackedSize).toBeLessThan(maxUnpackedBytes);
  });

  it('runs nothing and builds nothing at install', () => {
    const text = readFileSync(join(installed, 'package.json'), 'utf8');
    const { scripts, gypfile } = JSON.parse(text) as {
      scripts: Record<string, string>;
      gypfile: boolean;
    };
    expect(gypfile).toBe(false);
    expect(Object.keys(scripts)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(?:pre|post)?install$/)]),
    );
    expect(existsSync(join(installed, 'build'))).toBe(false);
  });

  it('brings a command', () => {
    expect(statSync(join(installed, 'dist/main.js')).mode & 0o111).toBe(0o111);
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      version: string;
    };
    const command = join(folder, 'node_modules/.bin/sluice');
    expect(run(command, ['--version'], folder)).toContain(version);
  });

  const matrix = [20, 22, 24].flatMap((major) => engines.map((engine) => [major, engine] as const));
  it.each(matrix)(
    'balances traffic on node %i, engine %s',
    { timeout: minutes(5) },
    (major, engine) => {
      cpSync(join(root, 'test/fixtures/package-traffic.mjs'), join(folder, 'traffic.mjs'));
      const output = run(nodeBinary(major), ['traffic.mjs', engine], folder);
      const result = JSON.parse(output.trim().split('\n').at(-1) ?? '') as Traffic;
      expect(result.node).toMatch(new RegExp(`^v${major}\\.`));
      expect(result.engines).toEqual([engine, engine]);
      expect(Math.min(...result.accepted)).toBeGreaterThan(0);
      expect(result.echoed).toBe(200);
      expect(result.connections.reduce((total, count) => total + count, 0)).toBe(200);
      // Each of the two workers goes round on its own.
      const spread = Math.max(...result.connections) - Math.min(...result.connections);
      expect(spread).toBeLessThanOrEqual(2);
    },
  );
});
