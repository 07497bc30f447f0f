// Building the addon with node-gyp against the headers that lie beside the running node. Nothing is
// downloaded: a machine without headers or compiler is told what it lacks.
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inRoot } from './project.ts';
import { capture, Failure, run, tool, which } from './run.ts';

// Files whose contents decide what the addon is.
export const addonInputs = ['native', 'binding.gyp', 'node_modules/node-addon-api/package.json'];

// The prefix of the running node: <prefix>/bin/node beside <prefix>/include/node.
export function nodePrefix(): string {
  const prefixes = [process.execPath, realpathSync(process.execPath)].map((path) =>
    dirname(dirname(path)),
  );
  const header = (prefix: string): string => join(prefix, 'include/node/node_api.h');
  const found = prefixes.find((prefix) => existsSync(header(prefix)));
  if (found !== undefined) return found;
  throw new Failure(
    `the addon needs the headers of node, and ${prefixes.map(header)[0]} does not exist. The ` +
      'official archives and the nodejs packages bring it; with Debian’s own node install ' +
      'libnode-dev.',
  );
}

export function requireToolchain(): void {
  const missing = [
    ['g++', 'g++'],
    ['make', 'make'],
    ['python3', 'python3'],
  ].filter(([program]) => which(program ?? '') === undefined);
  if (missing.length === 0) return;
  const packages = missing.map(([, debian]) => debian).join(' ');
  throw new Failure(
    `the addon needs a compiler: apt-get install --no-install-recommends ${packages}`,
  );
}

export const compilerVersion = (): string =>
  capture('g++', ['--version']).stdout.split('\n')[0] ?? '';

// npm hands its own settings down as npm_config_*; ours must win over a user's nodedir.
export const gypEnvironment = (prefix: string): Record<string, string> => ({
  npm_config_nodedir: prefix,
});

export function nodeGyp(args: readonly string[], prefix: string): void {
  run(tool('node-gyp'), [...args.slice(0, 1), `--nodedir=${prefix}`, ...args.slice(1)], {
    cwd: inRoot(''),
    env: gypEnvironment(prefix),
  });
}
