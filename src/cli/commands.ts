// Commands that look at this system, or at a balancer that runs: their arguments and options.
import { type Command, Option } from 'commander';
import { adminDefault } from '../config/schema-admin.ts';
import { doctor } from './doctor.ts';
import { outputOption } from './output.ts';
import { terminalOf } from './terminal.ts';

// Makes the action of a command from what resolves with an exit code.
export type Act = <A extends unknown[]>(
  body: (...args: A) => Promise<number>,
) => (...args: A) => Promise<void>;

const adminOptions = (): Option[] => [
  new Option(
    '--admin <address>',
    `where the balancer answers: host:port or unix:/path (default: ${adminDefault})`,
  ).env('SLUICE_ADMIN'),
  new Option('--token <token>', 'that its admin API asks for').env('SLUICE_TOKEN'),
];

function withOptions(command: Command, ...options: Option[]): Command {
  for (const option of options) command.addOption(option);
  return command;
}

export function addDoctor(program: Command, act: Act): void {
  const command = program
    .command('doctor')
    .description('explain what of this system helps or hinders, with the fix');
  const file = new Option('-c, --config <file>', 'that shall run here').env('SLUICE_CONFIG');
  withOptions(command, file, ...adminOptions(), outputOption()).action(
    act((options) => doctor(options, terminalOf(process.stdout))),
  );
}
