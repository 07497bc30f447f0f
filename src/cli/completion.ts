// Completion for shells, made from the commands themselves.
import type { Command } from 'commander';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

interface Words {
  readonly name: string;
  readonly help: string;
  readonly flags: readonly { readonly names: readonly string[]; readonly help: string }[];
}

function wordsOf(command: Command): Words {
  const flags = command.options.map(({ short, long, description }) => ({
    names: [short, long].flatMap((name) => name ?? []),
    help: description,
  }));
  return { name: command.name(), help: command.description(), flags };
}

const flagNames = ({ flags }: Words): string => flags.flatMap(({ names }) => names).join(' ');

const bash = (commands: readonly Words[]): string[] => [
  '# bash: source <(sluice completion bash)',
  '_sluice() {',
  '  local word="${COMP_WORDS[COMP_CWORD]}" words=""',
  '  case "${COMP_WORDS[1]}" in',
  ...commands.map((one) => `    ${one.name}) words="${flagNames(one)}" ;;`),
  '  esac',
  `  [ "$COMP_CWORD" -eq 1 ] && words="${commands.map(({ name }) => name).join(' ')}"`,
  '  COMPREPLY=($(compgen -W "$words" -- "$word"))',
  '}',
  'complete -o default -F _sluice sluice',
];

// What stands in single quotes of zsh and fish.
const quoted = (text: string): string => `'${text.replaceAll("'", '').replaceAll('\\', '')}'`;

const zsh = (commands: readonly Words[]): string[] => [
  '#compdef sluice',
  '# zsh: source <(sluice completion zsh)',
  '_sluice() {',
  '  if (( CURRENT == 2 )); then',
  '    local -a commands=(',
  ...commands.map(({ name, help }) => `      ${quoted(`${name}:${help}`)}`),
  '    )',
  '    _describe command commands',
  '    return',
  '  fi',
  '  case "$words[2]" in',
  ...commands.map((one) => `    ${one.name}) compadd -- ${flagNames(one)} ;;`),
  '  esac',
  '  _files',
  '}',
  'compdef _sluice sluice',
];

const fish = (commands: readonly Words[]): string[] => [
  '# fish: sluice completion fish | source',
  ...commands.flatMap(({ name, help, flags }) => [
    `complete -c sluice -n __fish_use_subcommand -a ${name} -d ${quoted(help)}`,
    ...flags.map((flag) => {
      const names = flag.names.map((one) =>
        one.startsWith('--') ? `-l ${one.slice(2)}` : `-s ${one.slice(1)}`,
      );
      const when = `'__fish_seen_subcommand_from ${name}'`;
      return `complete -c sluice -n ${when} ${names.join(' ')} -d ${quoted(flag.help)}`;
    }),
  ]),
];

const writers: Readonly<Record<Shell, (commands: readonly Words[]) => string[]>> = {
  bash,
  zsh,
  fish,
};

export const completion = (program: Command, shell: Shell): string =>
  `${writers[shell](program.commands.map(wordsOf)).join('\n')}\n`;
