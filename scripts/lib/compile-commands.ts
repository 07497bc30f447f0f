// compile_commands.json for clangd: the addon's commands as node-gyp's generator states them, the
// tests' as their Makefile would run them.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { nodeGyp } from './addon-build.ts';
import { inRoot, root } from './project.ts';
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
    return file === undefined ? [] : [{ directory, command: line, file }];
  });
}

function testCommands(): Command[] {
  const targets = ['native_tests', 'io_sim', 'proxy_sim', 'http_sim'];
  const dryRun = ['--dry-run', '--always-make', '--keep-going', '-C', 'test/native'];
  const { stdout } = capture('make', [...dryRun, 'VARIANT=asan', ...targets]);
  const seen = new Set<string>();
  return parseMakeCommands(stdout, inRoot('test/native')).filter(({ file }) => {
    if (file.startsWith(inRoot('native/')) || seen.has(file)) return false;
    seen.add(file);
    return true;
  });
}

export function writeCompileCommands(prefix: string): void {
  nodeGyp(['configure', '--loglevel=warn', '--', '-f', 'compile_commands_json'], prefix);
  const generated = inRoot('build/Release/compile_commands.json');
  const addon: Command[] = existsSync(generated)
    ? (JSON.parse(readFileSync(generated, 'utf8')) as Command[])
    : [];
  const commands = [...addon, ...testCommands()];
  rmSync(generated, { force: true });
  writeFileSync(`${root}/compile_commands.json`, `${JSON.stringify(commands, null, 2)}\n`);
}
