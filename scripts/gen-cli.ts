// Writes docs/cli.md, the reference of the command line, from the commands themselves. `--check`
// compares instead and fails when the committed file is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import type { Command, Option } from 'commander';
import { exitMeanings } from '../src/cli/failure.ts';
import { commandLine } from '../src/cli/program.ts';
import { inRoot } from './lib/project.ts';
import { Failure, main } from './lib/run.ts';

const head = `<!-- GENERATED from src/cli by \`npm run gen\`. Do not edit. -->
# The command line

\`sluice COMMAND\`. Commands that change or show a balancer that runs ask its admin API:
\`--admin\` or \`SLUICE_ADMIN\` says where, \`host:port\` or \`unix:/path\`. A flag wins over its
variable, the variable over the file. \`-o json\` prints what the API answered ([api.md](api.md));
tables are plain text without colours where the output is no terminal or \`NO_COLOR\` is set. What
\`doctor\`, \`top\` and systemd need is in [operations.md](operations.md).
`;

const cell = (text: string): string => text.replaceAll('|', '\\|');

function optionRow({ flags, description, envVar, defaultValue, argChoices }: Option): string {
  const notes = [
    description,
    argChoices === undefined ? '' : `one of ${argChoices.map((one) => `\`${one}\``).join(', ')}`,
    defaultValue === undefined ? '' : `default \`${String(defaultValue)}\``,
  ].filter((note) => note !== '');
  const variable = envVar === undefined ? '' : `\`${envVar}\``;
  return `| \`${cell(flags)}\` | ${variable} | ${cell(notes.join('; '))} |`;
}

function section(command: Command): string {
  const parts = [`## sluice ${command.name()}\n`, `${command.description()}.\n`];
  const usage = ['sluice', command.name(), command.usage()].join(' ');
  parts.push(`    ${usage}\n`);
  const described = command.registeredArguments.filter(({ description }) => description !== '');
  for (const one of described) parts.push(`\`${one.name()}\`: ${one.description}.\n`);
  if (command.options.length > 0) {
    parts.push('| option | variable | |\n|---|---|---|');
    parts.push(`${command.options.map(optionRow).join('\n')}\n`);
  }
  return parts.join('\n');
}

function reference(): string {
  const commands = commandLine().commands;
  const list = commands.map(
    (one) => `| [\`${one.name()}\`](#sluice-${one.name()}) | ${one.description()} |`,
  );
  const codes = exitMeanings.map(([code, meaning]) => `| ${code} | ${meaning} |`);
  return [
    head,
    `| command | |\n|---|---|\n${list.join('\n')}\n`,
    `## Exit codes\n\n| code | |\n|---|---|\n${codes.join('\n')}\n`,
    ...commands.map(section),
  ].join('\n');
}

await main(() => {
  const path = inRoot('docs/cli.md');
  const text = reference();
  if (!process.argv.includes('--check')) return writeFileSync(path, text);
  if (readFileSync(path, 'utf8') !== text) throw new Failure('docs/cli.md is stale: npm run gen');
});
