// `sluice events`: what happened in a balancer, and with `--follow` what happens.
import type { EventMessage } from '../admin/api-types.ts';
import { AdminClient, type AdminOptions } from './admin-client.ts';
import { exitCodes, UsageError } from './failure.ts';
import type { OutputOptions } from './output.ts';
import { printable } from './table.ts';
import { paint, type Terminal } from './terminal.ts';

export interface EventsOptions extends AdminOptions, OutputOptions {
  readonly follow?: boolean;
  // The id of an event that is known.
  readonly since?: string;
}

export interface ServerEvent {
  // `message` unless stated.
  readonly type: string;
  readonly data: string;
}

// Server-sent events of their lines (HTML, 9.2.6): a blank line ends one.
export async function* serverEvents(lines: AsyncIterable<string>): AsyncGenerator<ServerEvent> {
  let type = 'message';
  let data: string[] = [];
  for await (const line of lines) {
    if (line === '') {
      if (data.length > 0) yield { type, data: data.join('\n') };
      [type, data] = ['message', []];
    } else {
      const [, field, value = ''] = /^([^:]*)(?::[ ]?(.*))?$/.exec(line) ?? [];
      if (field === 'event') type = value;
      if (field === 'data') data.push(value);
    }
  }
}

const valueText = (value: unknown): string =>
  typeof value === 'string' && /^[\w.:/@[\]-]+$/.test(value) ? value : JSON.stringify(value);

export function eventLine({ at, name, detail }: EventMessage, terminal: Terminal): string {
  const fields = Object.entries(detail).map(([key, value]) => `${key}=${valueText(value)}`);
  return [at, paint(terminal, 'bold', printable(name)), ...fields.map(printable)].join('  ');
}

export async function events(options: EventsOptions, terminal: Terminal): Promise<number> {
  const { follow, since = '0', output } = options;
  if (!/^\d{1,16}$/.test(since)) {
    throw new UsageError(`--since is '${since}': expected the id of an event`);
  }
  // The figures of each second come after everything that is kept: they end what is not followed.
  const path = `/api/v1/events?since=${since}${follow ? '' : '&stats=1'}`;
  const ended = new AbortController();
  const stop = (): void => ended.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    const lines = new AdminClient(options).lines(path, ended.signal);
    for await (const { type, data } of serverEvents(lines)) {
      if (type === 'stats') break;
      const message = JSON.parse(data) as EventMessage;
      const line = output === 'json' ? JSON.stringify(message) : eventLine(message, terminal);
      terminal.write(`${line}\n`);
    }
  } finally {
    ended.abort();
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
  return exitCodes.ok;
}
