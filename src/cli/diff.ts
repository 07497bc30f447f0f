// `sluice diff`: how what is in force differs from the file. Exit codes are those of diff(1).
import type { DiffAnswer, Difference } from '../admin/api-types.ts';
import { AdminClient, type AdminOptions } from './admin-client.ts';
import { CommandError } from './failure.ts';
import { type OutputOptions, writeJson } from './output.ts';
import { printable } from './table.ts';
import { paint, type Style, type Terminal } from './terminal.ts';

const exitCodes = { ok: 0, differs: 1, trouble: 2 } as const;

const styles: Readonly<Record<Difference['kind'], Style>> = {
  added: 'green',
  removed: 'red',
  changed: 'yellow',
};

function lineOf({ path, kind, file, live }: Difference): string {
  const place = path === '' ? 'the configuration' : path;
  if (kind === 'added') return `+ ${place}: ${JSON.stringify(live)}`;
  if (kind === 'removed') return `- ${place}: ${JSON.stringify(file)}`;
  return `~ ${place}: ${JSON.stringify(file)} -> ${JSON.stringify(live)}`;
}

async function ask(options: AdminOptions): Promise<DiffAnswer> {
  try {
    return await new AdminClient(options).get<DiffAnswer>('/api/v1/config/diff');
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new CommandError(error.message, exitCodes.trouble);
  }
}

export async function diff(
  options: AdminOptions & OutputOptions,
  terminal: Terminal,
): Promise<number> {
  const answer = await ask(options);
  if (options.output === 'json') writeJson(terminal, answer);
  else {
    for (const one of answer.differences) {
      terminal.write(`${paint(terminal, styles[one.kind], printable(lineOf(one)))}\n`);
    }
  }
  return answer.differences.length === 0 ? exitCodes.ok : exitCodes.differs;
}
