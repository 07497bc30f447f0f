// The command line of the comparison.
import { parseArgs } from 'node:util';
import { type MicroName, microNames } from './micro.ts';
import { type ContenderName, contenderNames } from './peers.ts';
import { type RowName, rowNames } from './row.ts';

export interface Options {
  readonly small: boolean;
  readonly rows: readonly RowName[];
  readonly micro: readonly MicroName[];
  readonly contenders: readonly ContenderName[];
  readonly rounds: number | undefined; // undefined: each row's own
  readonly seconds: number | undefined;
  readonly namespace: boolean;
  readonly priority: boolean;
}

const smallSeconds = 0.25;

const allNames: readonly (RowName | MicroName)[] = [...rowNames, ...microNames];

const usage = `npm run bench -- [options]
  --small                one short round of everything, about a minute; its figures say nothing
  --rows NAME,...        ${allNames.join(', ')}
  --contenders NAME,...  ${contenderNames.join(', ')}
  --rounds N             rounds per row (5; latencies 7)
  --seconds S            measured seconds per round (3)
  --priority             go before other work on this machine (sched_autogroup; root)
  --no-namespace         use the host's network stack even when a private one could be made
`;

export class UsageError extends Error {}

function listOf<T extends string>(text: string | undefined, known: readonly T[]): readonly T[] {
  if (text === undefined) return known;
  return text.split(',').map((word) => {
    const name = known.find((candidate) => candidate === word.trim());
    if (name === undefined) throw new UsageError(`unknown name: ${word}\n${usage}`);
    return name;
  });
}

function positive(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!(number > 0 && number <= 600))
    throw new UsageError(`not a usable number: ${text}\n${usage}`);
  return number;
}

export function parseOptions(args: readonly string[]): Options {
  let values: Record<string, string | boolean | undefined>;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        small: { type: 'boolean' },
        rows: { type: 'string' },
        contenders: { type: 'string' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        'no-namespace': { type: 'boolean' },
        priority: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }));
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : error}\n${usage}`);
  }
  if (values['help']) throw new UsageError(usage);
  const text = (name: string): string | undefined => values[name] as string | undefined;
  const wanted = listOf(text('rows'), allNames);
  const small = values['small'] === true;
  return {
    small,
    rows: rowNames.filter((name) => wanted.includes(name)),
    micro: microNames.filter((name) => wanted.includes(name)),
    contenders: listOf(text('contenders'), contenderNames),
    rounds: positive(text('rounds')) ?? (small ? 1 : undefined),
    seconds: positive(text('seconds')) ?? (small ? smallSeconds : undefined),
    namespace: values['no-namespace'] !== true,
    priority: values['priority'] === true,
  };
}
