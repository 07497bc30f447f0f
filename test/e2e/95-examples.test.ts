// What the documents and examples say is so: the examples run, the configurations are valid, and
// the references name everything there is.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../src/config/load.ts';
import type { HttpListenerConfig } from '../../src/config/schema-listener.ts';
import { errorCodes, jsonSchema } from '../../src/index.ts';
import { labelNames } from '../../src/providers/docker-labels.ts';
import { simpleConfig, startBalancer, type WholeConfig } from '../fixtures/balancers.ts';
import { exchange, type Target } from '../fixtures/clients.ts';
import { askOnce } from '../fixtures/http-clients.ts';
import { message, type Serve, startHttpOrigin } from '../fixtures/http-origins.ts';
import { freePorts } from '../fixtures/load-programs.ts';
import { nameOnly, startOrigin } from '../fixtures/origins.ts';
import { buildOnce, compiled, serving, sluice, startRun } from '../fixtures/programs.ts';
import { type Engine, engines, root, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => buildOnce());

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const pages = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
const own = ['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md', 'bench/README.md'];
const documents = [...own, ...pages.map((name) => `docs/${name}`)];

// An example as it is, but on ports that are free now.
async function onFreePorts(path: string): Promise<string> {
  const text = read(path);
  const ports = [...text.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => port ?? '');
  const free = await freePorts(new Set(ports).size);
  const replaced = new Map([...new Set(ports)].map((port, index) => [port, free[index]]));
  return text.replaceAll(/127\.0\.0\.1:(\d+)/g, (_, port) => `127.0.0.1:${replaced.get(port)}`);
}

async function runExample(text: string, engine: Engine) {
  const file = join(scene.folder(), 'sluice.yaml');
  writeFileSync(file, text);
  const program = startRun(scene, file, { args: ['--workers', '2', '--engine', engine] });
  const served = await serving(scene, program, engine);
  const end = async (): Promise<void> => {
    await served.prove(engine);
    program.child.kill('SIGTERM');
    expect((await program.exited).code).toBe(0);
  };
  return { served, end };
}

// What a program of the examples prints.
function outputOf(path: string, engine: Engine): string[] {
  const words = ['npx', 'tsx', path];
  // It takes what the kernel offers.
  const [command = '', ...rest] = engine === 'epoll' ? [compiled('no-uring'), ...words] : words;
  const output = execFileSync(command, rest, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return output.split('\n');
}

const portOf = (address: string): number => Number(address.split(':')[1]);
const examples = readdirSync(join(root, 'examples'));

describe('the examples', () => {
  it('are all run, here or in 78-image', () => {
    expect(examples.sort()).toEqual([
      'compose-domains.yaml',
      'compose.yaml',
      'http.ts',
      'http.yaml',
      'library.ts',
      'seccomp-io_uring.json',
      'sluice.config.ts',
      'sluice.service',
      'sluice.yaml',
    ]);
  });

  const configurations = examples.filter((name) =>
    /^(?!compose).*\.yaml$|\.config\.ts$/.test(name),
  );
  it.each(configurations)('%s is valid as it is', (name) => {
    expect(sluice(['validate', '-c', `examples/${name}`]).status).toBe(0);
  });

  it.each(engines)('sluice.yaml balances on %s', async (engine) => {
    const text = await onFreePorts('examples/sluice.yaml');
    const { pools } = parse(text) as { pools: { replicas: { backends: string[] } } };
    for (const address of pools.replicas.backends) {
      await startOrigin(scene, { name: 'replica', port: portOf(address), serve: nameOnly });
    }
    const { served, end } = await runExample(text, engine);
    expect((await exchange(served.address('database'))).toString()).toBe('replica');
    await end();
  });

  it.each(engines)('http.yaml gives requests to the pools it says, on %s', async (engine) => {
    const text = await onFreePorts('examples/http.yaml');
    const { pools } = parse(text) as { pools: Record<string, { backends: string[] }> };
    // Says its pool, and how the client is said to have come.
    const serve: Serve = async (call, name) => {
      await call.send(message(`${name} ${call.head.one('x-forwarded-proto')}`));
    };
    for (const [name, { backends }] of Object.entries(pools)) {
      for (const address of backends) {
        await startHttpOrigin(scene, serve, { name, port: portOf(address) });
      }
    }
    const { served, end } = await runExample(text, engine);
    const ask = async (host: string, path: string, fields = ''): Promise<string> => {
      const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`;
      const answer = await askOnce(served.address('web'), request);
      return `${answer.status} ${answer.text}`;
    };
    expect(await ask('example.com', '/')).toBe('200 site http');
    expect(await ask('www.example.com', '/apis')).toBe('200 site http');
    expect(await ask('www.example.com', '/api/users')).toBe('200 api http');
    expect(await ask('shop.example.com', '/live')).toBe('200 live http');
    expect(await ask('shop.example.com', '/')).toBe('404 404 Not Found\n');
    // This host ends TLS for others and is believed.
    expect(await ask('example.com', '/', 'X-Forwarded-Proto: https\r\n')).toBe('200 site https');
    expect((await ask('example.com', `/${'x'.repeat(4096)}`)).slice(0, 3)).toBe('414');
    await end();
  });

  it.each(engines)('sluice.config.ts balances its domains, on %s', async (engine) => {
    const serve: Serve = async (call, name) => {
      await call.send(message(name));
    };
    const other = await startHttpOrigin(scene, serve, { name: 'other' });
    const web = await startHttpOrigin(scene, serve, { name: 'web' });
    const file = join(scene.folder(), 'sluice.config.ts');
    const stated = read('examples/sluice.config.ts')
      .replace("'127.0.0.1:9011'", `'${other.address}'`)
      .replace('9001 + index', String(portOf(web.address)))
      .replaceAll(/127\.0\.0\.1:(8080|9123)/g, '127.0.0.1:0');
    writeFileSync(file, stated);
    const args = ['--workers', '2', '--engine', engine];
    const env = { ...process.env, REPLICAS: '1' };
    const program = startRun(scene, file, { args, spawn: { env } });
    const served = await serving(scene, program, engine);
    const ask = async (host: string): Promise<string> =>
      (await askOnce(served.address('domains'), `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).text;
    expect(await ask('www.example.com')).toBe('web');
    expect(await ask('shop.example.com')).toBe('other');
    expect(await ask('example.org')).toBe('404 Not Found\n');
  });

  it.each(engines)('library.ts does what it prints, on %s', (engine) => {
    expect(outputOf('examples/library.ts', engine)).toEqual([
      'before: red',
      'both: blue red',
      'after: blue, 0 connections cut',
      `${engine} carried 4 connections`,
      '',
    ]);
  });

  it.each(engines)('http.ts does what it prints, on %s', (engine) => {
    expect(outputOf('examples/http.ts', engine)).toEqual([
      '200 site: / of www.example.com for 127.0.0.1',
      '200 api: /api/users?all of WWW.Example.com:80 for 127.0.0.1',
      '404 404 Not Found',
      '200 spare: /api/users of www.example.com for 127.0.0.1',
      '4 requests, 1 without a route',
      'www.example.com to site: 1',
      'www.example.com/api to api: 2',
      '',
    ]);
  });
});

describe('docs/docker.md', () => {
  it('names every label, and no other', () => {
    const named = read('docs/docker.md').match(/\b(?:sluice|lb)\.[a-z_]+(?:\.[a-z]+)?\b/g) ?? [];
    const labels = [...new Set(named)].filter(
      (label) => !/^sluice\.yaml$|^lb\.(docker|overrides)/.test(label),
    );
    expect(labels.sort()).toEqual([...labelNames].sort());
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

  it.each(documents)('%s names files that are there', (path) => {
    for (const [, named = ''] of read(path).matchAll(
      /`((?:test|src|scripts|native|bench|examples|docs)\/[\w./-]+\.[a-z]+)`/g,
    )) {
      expect(existsSync(join(root, named)), named).toBe(true);
    }
  });

  it('README.md names a test for whatever works, and none for what does not', () => {
    const [, table = ''] =
      /## What five earlier systems promised\n([\s\S]*?)\n## /.exec(read('README.md')) ?? [];
    const rows = [...table.matchAll(/^\| (.+) \| (works|not yet) \| ?(.*) ?\|$/gm)];
    expect(rows.length).toBeGreaterThan(30);
    for (const [, promised, state, shown = ''] of rows) {
      const files = [...shown.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
      expect(files.length > 0, promised).toBe(state === 'works');
      for (const name of files) {
        expect(existsSync(join(root, `test/e2e/${name}.test.ts`)), name).toBe(true);
      }
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

  it.each(engines)('name every metric and answer of %s, and no other', async (engine) => {
    const config = simpleConfig(engine, ['127.0.0.1:9'], { pool: { healthCheck: {} } });
    const http = { listen: '127.0.0.1:0', mode: 'http' as const, routes: [{ pool: 'web' }] };
    const listeners = { ...config.listeners, http };
    // Nobody answers there, and it is told.
    const providers = { docker: { endpoint: join(scene.folder(), 'none.sock') } };
    const lb = await startBalancer(scene, { ...config, listeners, providers });
    const types = [...lb.metrics().matchAll(/^# TYPE (\S+) (\S+)$/gm)];
    const real = types.map(([, name, type]) => `${name} ${type}`);
    const rows = [...read('docs/metrics.md').matchAll(/^\| `(sluice_\w+)` \| (\w+) \|/gm)];
    expect(rows.map(([, name, type]) => `${name} ${type}`).sort()).toEqual(real.sort());
    const counted = [
      ...lb.metrics().matchAll(/^sluice_listener_answers_total\{.*status="(\d+)"/gm),
    ];
    const statuses = [...read('docs/http.md').matchAll(/^\| (\d{3}) \|/gm)];
    expect(statuses.map(([, status]) => status)).toEqual(counted.map(([, status]) => status));
  });
});

// The first configuration of docs/http.md, and what its table says of requests.
it.each(engines)('docs/http.md tells the route of each of its requests, on %s', async (engine) => {
  const text = read('docs/http.md');
  const config = parse(/```yaml\n([\s\S]*?)```/.exec(text)?.[1] ?? '') as WholeConfig;
  const names = Object.keys(config.pools);
  const serve: Serve = async (call, name) => call.send(message(name));
  const origins = await Promise.all(names.map((name) => startHttpOrigin(scene, serve, { name })));
  const pools = origins.map(({ name, address }) => [name, { backends: [address] }]);
  const listener = { ...config.listeners['web'], listen: '127.0.0.1:0' };
  const lb = await startBalancer(scene, {
    workers: 2,
    engine,
    listeners: { in: listener as HttpListenerConfig },
    pools: Object.fromEntries(pools),
  });
  const rows = [...text.matchAll(/^\| `([^`/]+)(\/[^`]*)` \| `?(\w+)/gm)];
  expect(rows).toHaveLength(7);
  for (const [, host, path, expected] of rows) {
    const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    const { status, text: answered } = await askOnce(lb.address('in') as Target, request);
    expect(status === 200 ? answered : `${status}`, `${host}${path}`).toBe(expected);
  }
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
