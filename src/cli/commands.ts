// Commands that look at this system, or at a balancer that runs: their arguments and options.
import { Argument, type Command, Option } from 'commander';
import { adminDefault } from '../config/schema-admin.ts';
import { drain, mapImage, reload, stopPort, undrain, weight } from './change.ts';
import { completion, type Shell, shells } from './completion.ts';
import { diff } from './diff.ts';
import { doctor } from './doctor.ts';
import { events } from './events.ts';
import { exitCodes } from './failure.ts';
import { outputOption } from './output.ts';
import { backends, pools, status } from './show.ts';
import { terminalOf } from './terminal.ts';
import { keyboardOf, top } from './top.ts';
import { sorts } from './top-screen.ts';
import { version } from './version.ts';

// Makes the action of a command from what resolves with an exit code.
export type Act = <A extends unknown[]>(
  body: (...args: A) => Promise<number> | number,
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
const toRunning = (command: Command): Command =>
  withOptions(command, ...adminOptions(), outputOption());

const terminal = () => terminalOf(process.stdout);

const backendArgument = (): Argument => new Argument('<pool/backend>', 'as in web/127.0.0.1:9001');

function addShowing(program: Command, act: Act): void {
  toRunning(
    program.command('status').description('health, listeners and pools; 1 if unhealthy'),
  ).action(act((options) => status(options, terminal())));
  toRunning(program.command('pools').description('all pools')).action(
    act((options) => pools(options, terminal())),
  );
  toRunning(program.command('backends').description('backends of a pool, or all'))
    .argument('[pool]')
    .action(act((pool, options) => backends(pool, options, terminal())));
  toRunning(program.command('diff').description('how what is in force differs from the file'))
    .addHelpText('after', '\nExit codes: 0 it does not, 1 it does, 2 it could not be compared.')
    .action(act((options) => diff(options, terminal())));
  toRunning(program.command('events').description('what happened, as long as it is kept'))
    .option('-f, --follow', 'and what happens from now on')
    .option('--since <id>', 'only what came after this event')
    .action(act((options) => events(options, terminal())));
}

function addChanging(program: Command, act: Act): void {
  toRunning(program.command('reload').description('read the configuration file again')).action(
    act((options) => reload(options, terminal())),
  );
  toRunning(program.command('drain').description('give a backend no new work'))
    .addArgument(backendArgument())
    .option('--timeout <duration>', 'then its connections are cut, as in 30s')
    .option('--wait', 'until it has no connections')
    .action(act((name, options) => drain(name, options, terminal())));
  toRunning(program.command('undrain').description('give a backend work again'))
    .addArgument(backendArgument())
    .action(act((name, options) => undrain(name, options, terminal())));
  toRunning(program.command('weight').description("change a backend's share of new work"))
    .addArgument(backendArgument())
    .argument('<weight>', 'from 0 (none) to 65535')
    .action(act((name, value, options) => weight(name, value, options, terminal())));
  toRunning(program.command('map-image').description('balance the containers of an image'))
    .argument('<image>', 'as in nginx:1')
    .argument('<listen>', 'a port, or host:port')
    .argument('<port>', 'of the containers')
    .action(
      act((image, listen, port, options) => mapImage(image, listen, port, options, terminal())),
    );
  toRunning(program.command('stop-port').description('end what map-image began'))
    .argument('<listen>', 'as stated to map-image')
    .action(act((listen, options) => stopPort(listen, options, terminal())));
}

function addTop(program: Command, act: Act): void {
  const { stdin, stdout } = process;
  const command = program
    .command('top')
    .description('rates, latencies and processors as they change (q quits, s sorts)')
    .option('-i, --interval <seconds>', 'between two looks, from 0.1 to 60', '1')
    .addOption(new Option('--sort <by>', 'what comes first').choices(sorts).default('traffic'))
    .option('--once', 'look once, over one interval')
    .option('--pid <pid>', "the balancer's, where it has another one here than it knows");
  toRunning(command).action(
    act((options) => {
      const keyboard = stdout.isTTY ? keyboardOf(stdin) : undefined;
      const height = (): number | undefined => stdout.rows;
      return top(options, { ...terminal(), height, keyboard });
    }),
  );
}

function addLocal(program: Command, own: string, act: Act): void {
  const file = new Option('-c, --config <file>', 'that shall run here').env('SLUICE_CONFIG');
  const examining = program
    .command('doctor')
    .description('what of this system helps or hinders, with the fix');
  withOptions(examining, file, ...adminOptions(), outputOption()).action(
    act((options) => doctor(options, terminal())),
  );
  withOptions(program.command('version').description('the version'), outputOption())
    .option('--json', 'the same as -o json')
    .action(act(({ json, output }) => version(own, json || output === 'json', terminal())));
  program
    .command('completion')
    .description('completion for a shell, to be sourced')
    .addArgument(new Argument('<shell>').choices(shells))
    .action(
      act((shell) => {
        process.stdout.write(completion(program, shell as Shell));
        return exitCodes.ok;
      }),
    );
}

export function addCommands(program: Command, own: string, act: Act): void {
  addShowing(program, act);
  addTop(program, act);
  addChanging(program, act);
  addLocal(program, own, act);
}
