// Commands that change what runs. Each prints what is in force when it ends.
import type {
  AppliedAnswer,
  BackendAnswer,
  DrainAnswer,
  ImageMapping,
} from '../admin/api-types.ts';
import { AdminClient, type AdminOptions } from './admin-client.ts';
import { backendName, backendPath } from './client-target.ts';
import { exitCodes, UsageError } from './failure.ts';
import { type OutputOptions, writeJson } from './output.ts';
import { printable } from './table.ts';
import type { Terminal } from './terminal.ts';

export type ChangeOptions = AdminOptions & OutputOptions;

export interface DrainOptions extends ChangeOptions {
  // As in `30s`.
  readonly timeout?: string;
  readonly wait?: boolean;
}

function tell(terminal: Terminal, { output }: OutputOptions, answer: unknown, line: string) {
  if (output === 'json') writeJson(terminal, answer);
  else terminal.write(`${printable(line)}\n`);
  return exitCodes.ok;
}

export async function drain(
  text: string,
  options: DrainOptions,
  terminal: Terminal,
): Promise<number> {
  const name = backendName(text);
  const { timeout, wait } = options;
  const query = new URLSearchParams({
    ...(timeout !== undefined && { timeout }),
    ...(wait && { wait: 'true' }),
  });
  const suffix = query.size > 0 ? `?${query}` : '';
  // The balancer ends the waiting: after `timeout`, or the pool's drainTimeout.
  const answer = await new AdminClient(options).json<DrainAnswer>(
    'POST',
    `${backendPath(name)}/drain${suffix}`,
    wait ? { timeoutMs: 0 } : {},
  );
  const { state, cut = 0 } = answer;
  const lost = cut === 0 ? '' : `, ${cut} connection${cut === 1 ? ' was' : 's were'} cut`;
  return tell(terminal, options, answer, `${text} is ${state}${lost}`);
}

export async function undrain(
  text: string,
  options: ChangeOptions,
  terminal: Terminal,
): Promise<number> {
  const path = `${backendPath(backendName(text))}/undrain`;
  const answer = await new AdminClient(options).json<BackendAnswer>('POST', path);
  return tell(terminal, options, answer, `${text} is ${answer.state}`);
}

export async function weight(
  text: string,
  value: string,
  options: ChangeOptions,
  terminal: Terminal,
): Promise<number> {
  const path = backendPath(backendName(text));
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535) {
    throw new UsageError(`the weight is '${value}': expected a whole number from 0 to 65535`);
  }
  const body = { weight: Number(value) };
  const answer = await new AdminClient(options).json<BackendAnswer>('PATCH', path, { body });
  return tell(terminal, options, answer, `${text} has weight ${answer.weight}`);
}

export async function reload(options: ChangeOptions, terminal: Terminal): Promise<number> {
  const path = '/api/v1/config/reload';
  const answer = await new AdminClient(options).json<AppliedAnswer>('POST', path);
  const { generation, workers } = answer;
  const line = `the file was read again: generation ${generation}, on ${workers} workers`;
  return tell(terminal, options, answer, line);
}

export async function mapImage(
  image: string,
  listen: string,
  port: string,
  options: ChangeOptions,
  terminal: Terminal,
): Promise<number> {
  const value = /^\d{1,5}$/.test(port) ? Number(port) : 0;
  if (value < 1 || value > 65_535) {
    throw new UsageError(`the port is '${port}': expected a number from 1 to 65535`);
  }
  const body: ImageMapping = { image, listen, port: value };
  const answer = await new AdminClient(options).json('PUT', '/api/v1/images', { body });
  return tell(terminal, options, answer, `containers of ${image} are balanced on ${listen}`);
}

export async function stopPort(
  listen: string,
  options: ChangeOptions,
  terminal: Terminal,
): Promise<number> {
  const path = `/api/v1/images/${encodeURIComponent(listen)}`;
  const answer = await new AdminClient(options).json('DELETE', path);
  return tell(terminal, options, answer, `${listen} is no longer balanced for an image`);
}
