// What the documents and examples say is so: the examples run, the configurations are valid, and
// the references name everything there is.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../src/config/load.ts';
import { errorCodes, jsonSchema } from '../../src/index.ts';
import { simpleConfig, startBalancer } from '../fixtures/balancers.ts';
import { exchange } from '../fixtures/clients.ts';
import { freePorts } from '../fixtures/load-programs.ts';
import { nameOnly, startOrigin } from '../fixtures/origins.ts';
import { buildOnce, compiled, serving, sluice, startRun } from '../fixtures/programs.ts';
import { engines, root, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => buildOnce());

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const documents = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)];

describe('the examples', () => {
  it.each(engines)('sluice.yaml is valid as it is, and balances on %s', async (engine) => {
    expect(sluice(['validate', '-c', 'examples/sluice.yaml']).status).toBe(0);
    const ports = [...read('examples/sluice.yaml').matchAll(/127\.0\.0\.1:(\d+)/g)].map(
      ([, port]) => port ?? '',
    );
    const free = await freePorts(ports.length);
    const text = ports.reduce(
      (all, port, index) => all.replace(`127.0.0.1:${port}`, `127.0.0.1:${free[index]}`),
      read('examples/sluice.yaml'),
    );
    const { pools } = parse(text) as { pools: { replicas: { backends: string[] } } };
    for (const address of pools.replicas.backends) {
      const port = Number(address.split(':')[1]);
      await startOrigin(scene, { name: 'replica', port, serve: nameOnly });
    }
    const file = join(scene.folder(), 'sluice.yaml');
    writeFileSync(file, text);
    const program = startRun(scene, file, { args: ['--workers', '2', '--engine', engine] });
    const served = await serving(scene, program, engine);
    expect((await exchange(served.address('database'))).toString()).toBe('replica');
    await served.prove(engine);
    program.child.kill('SIGTERM');
    expect((await program.exited).code).toBe(0);
  });

  it.each(engines)('library.ts does what it prints, on %s', (engine) => {
    const words = ['npx', 'tsx', 'examples/library.ts'];
    // It takes what the kernel offers.
    const [command = '', ...rest] = engine === 'epoll' ? [compiled('no-uring'), ...words] : words;
    const output = execFileSync(command, rest, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect(output.split('\n')).toEqual([
      'before: red',
      'both: blue red',
      'after: blue, 0 connections cut',
      `${engine} carried 4 connections`,
      '',
    ]);
  });
});

describe('the documents', () => {
  it.each(documents)('%s has valid configurations only', (path) => {
    for (const [, text = ''] of read(path).matchAll(/```yaml\n([\s\S]*?)```/g)) {
      expect(() => parseConfig(parse(text), 'document')).not.toThrow();
    }
  });

  it.each(documents)('%s links to files that are there', (path) => {
    for (const [, target = ''] of read(path).matchAll(/\]\((?!http)([^)#]+)\)/g)) {
      expect(() => readdirOrFile(join(root, path, '..', target)), target).not.toThrow();
    }
  });

  it('name every key of a configuration', () => {
    const reference = read('docs/configuration.md');
    for (const key of keysOf(jsonSchema())) expect(reference, key).toContain(key);
  });

  it('name every error code, and no other', () => {
    const named = read('docs/api.md').match(/ERR_SLUICE_[A-Z_]+/g) ?? [];
    expect([...new Set(named)].sort()).toEqual([...errorCodes].sort());
  });

  it.each(engines)('name every metric of %s with its type, and no other', async (engine) => {
    const config = simpleConfig(engine, ['127.0.0.1:9']);
    const http = { listen: '127.0.0.1:0', mode: 'http' as const, routes: [{ pool: 'web' }] };
    const listeners = { ...config.listeners, http };
    const lb = await startBalancer(scene, { ...config, listeners });
    const types = [...lb.metrics().matchAll(/^# TYPE (\S+) (\S+)$/gm)];
    const real = types.map(([, name, type]) => `${name} ${type}`);
    const rows = [...read('docs/metrics.md').matchAll(/^\| `(sluice_\w+)` \| (\w+) \|/gm)];
    expect(rows.map(([, name, type]) => `${name} ${type}`).sort()).toEqual(real.sort());
  });
});

function readdirOrFile(path: string): void {
  try {
    readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EISDIR') throw error;
  }
}

// Names of properties, at any depth.
function keysOf(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const own = (schema as { properties?: object }).properties ?? {};
  return [...Object.keys(own), ...Object.values(schema).flatMap(keysOf)];
}
