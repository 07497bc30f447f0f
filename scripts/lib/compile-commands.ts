// compile_commands.json for clangd: the addon's commands as node-gyp's generator states them, those
// of tests and load program as their Makefiles run them, and those of what tests compile by hand.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { nodeGyp } from './addon-build.ts';
import { inRoot, listFiles, root } from './project.ts';
import { capture } from './run.ts';

interface Command {
  readonly directory: string;
  readonly command: string;
  readonly file: string;
}

// `make --dry-run` prints one compiler line per object.
export function parseMakeCommands(output: string, directory: string): Command[] {
  return output.split('\n').flatMap((line) => {
    const file = /^\S*g\+\+ .* -c -o \S+ (\S+\.cc)$/.exec(line)?.[1];
    return file === undefined ? [] : [{ directory, command: line, file: resolve(directory, file) }];
  });
}

function makeCommands(folder: string, args: readonly string[]): Command[] {
  const dryRun = ['--dry-run', '--always-make', '--keep-going', '-C', folder];
  const { stdout } = capture('make', [...dryRun, ...args]);
  return parseMakeCommands(stdout, inRoot(folder));
}

// Small programs of one file that tests compile when they need them.
export const helperFlags = ['-std=c++20', '-O1', '-Wall', '-Wextra', '-Werror'];
// Where the layout test writes the file that its program includes.
export const probeIncludes = [inRoot('native'), inRoot('build/contract')];

function helperCommands(): Command[] {
  const probe = probeIncludes.map((path) => `-I${path}`);
  const files = [
    ...listFiles('test/fixtures', ['.cc']).map((path) => ({ path, flags: helperFlags })),
    ...['layout', 'routes'].map((name) => ({
      path: `test/contract/${name}_probe.cc`,
      flags: [...helperFlags, ...probe],
    })),
  ];
  return files.map(({ path, flags }) => ({
    directory: root,
    command: ['g++', ...flags, '-c', inRoot(path)].join(' '),
    file: inRoot(path),
  }));
}

// Of everything but the addon, each file once.
export function otherCommands(): Command[] {
  const targets = ['native_tests', 'io_sim', 'proxy_sim', 'http_sim', 'http_fuzz'];
  const all = [
    ...makeCommands('test/native', ['VARIANT=asan', ...targets]),
    ...makeCommands('bench/load', []),
    ...makeCommands('bench/micro', ['route', 'http_parse']),
    ...helperCommands(),
  ].filter(({ file }) => !file.startsWith(inRoot('native/')));
  return [...new Map(all.map((command) => [command.file, command])).values()];
}

export function writeCompileCommands(prefix: string): void {
  nodeGyp(['configure', '--loglevel=warn', '--', '-f', 'compile_commands_json'], prefix);
  const generated = inRoot('build/Release/compile_commands.json');
  const addon: Command[] = existsSync(generated)
    ? (JSON.parse(readFileSync(generated, 'utf8')) as Command[])
    : [];
  const commands = [...addon, ...otherCommands()];
  rmSync(generated, { force: true });
  writeFileSync(`${root}/compile_commands.json`, `${JSON.stringify(commands, null, 2)}\n`);
}
