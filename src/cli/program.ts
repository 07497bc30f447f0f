// The command line: which commands and options there are, and what ends with which exit code.
import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import { configPlaces, findConfigFile } from '../config/find.ts';
import { type Act, addCommands } from './commands.ts';
import { type DemoOptions, demo } from './demo.ts';
import { exitCodeOf, exitCodes, exitMeanings, failureLines, UsageError } from './failure.ts';
import { type Overrides, overrideOptions, watchOptions } from './overrides.ts';
import { run } from './run.ts';
import { validate } from './validate.ts';

const exitLines = exitMeanings.map(
  ([code, meaning]) => `  ${code.padEnd(10)}${meaning.replaceAll('`', '')}`,
);
const exitHelp = `
Exit codes:
${exitLines.join('\n')}
Signals: TERM and INT drain and end (twice: at once), HUP reads the file again.`;

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(text) as { version?: unknown }).version);
}

const printLine = (line: string): void => void process.stdout.write(`${line}\n`);

// Where the commands leave their result.
interface Outcome {
  code: number;
  file: string | undefined;
}

interface ConfigOption {
  readonly config?: string;
}

function missingFile(): never {
  const places = configPlaces(process.cwd()).join(', ');
  throw new UsageError(`there is no configuration file: -c names one; looked for ${places}`);
}

function programOf(outcome: Outcome): Command {
  const program = new Command('sluice')
    .description('A load balancer for Linux.')
    .version(packageVersion())
    .addHelpText('after', exitHelp)
    .exitOverride();
  const configOption = new Option(
    '-c, --config <file>',
    'YAML, JSON, TypeScript or JavaScript; otherwise the first there is of sluice.config.ts, ' +
      '.js or .mjs, sluice.yaml, .yml or .json here, and /etc/sluice/sluice.yaml',
  ).env('SLUICE_CONFIG');
  const withFile = (command: Command): Command => command.addOption(configOption);
  const withSettings = (command: Command): Command => {
    for (const option of overrideOptions()) command.addOption(option);
    return command;
  };
  const running = withSettings(withFile(program.command('run')))
    .description('balance as a file says; without one, open the admin API alone')
    .option('-p, --pidfile <file>', 'holds the process id while it serves')
    .action(async ({ config = findConfigFile(), ...overrides }: Overrides & ConfigOption) => {
      outcome.file = config;
      outcome.code = await run(config, overrides);
    });
  for (const option of watchOptions()) running.addOption(option);
  withFile(program.command('validate').description('check a file and start nothing')).action(
    async ({ config = findConfigFile() }: ConfigOption) => {
      outcome.file = config;
      outcome.code = await validate(config ?? missingFile(), printLine);
    },
  );
  withSettings(program.command('demo').description('balance three backends of its own'))
    .addOption(
      new Option('--port <n>', 'where to listen on 127.0.0.1; 0 takes a free port')
        .default('8080')
        .env('SLUICE_DEMO_PORT'),
    )
    .action(async (options: DemoOptions) => {
      outcome.code = await demo(options, printLine);
    });
  const act: Act =
    (body) =>
    async (...args) => {
      // Options come last but one, before the command itself.
      outcome.file = (args.at(-2) as { readonly config?: string } | undefined)?.config;
      outcome.code = await body(...args);
    };
  addCommands(program, packageVersion(), act);
  return program;
}

// All commands, for those who describe them.
export const commandLine = (): Command => programOf({ code: exitCodes.ok, file: undefined });

// Never throws: what goes wrong is printed. Resolves with the exit code.
export async function main(args: readonly string[]): Promise<number> {
  const outcome: Outcome = { code: exitCodes.ok, file: undefined };
  try {
    await programOf(outcome).parseAsync([...args], { from: 'user' });
    return outcome.code;
  } catch (error) {
    // Commander has printed its own complaint, or the help that was asked for.
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    }
    for (const line of failureLines(error, outcome.file)) process.stderr.write(`sluice: ${line}\n`);
    return exitCodeOf(error);
  }
}
