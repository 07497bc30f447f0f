// Commands that show what runs: `status`, `pools`, `backends`.
import type {
  BackendAnswer,
  HealthAnswer,
  ListenerAnswer,
  PoolAnswer,
  RequestCounts,
  VersionAnswer,
} from '../admin/api-types.ts';
import { AdminClient, type AdminOptions } from './admin-client.ts';
import { exitCodes } from './failure.ts';
import { type OutputOptions, writeJson } from './output.ts';
import { type Column, printable, table } from './table.ts';
import { paint, type Terminal } from './terminal.ts';
import { bytesText, countText, millisecondsText, secondsText } from './units.ts';

export type ShowOptions = AdminOptions & OutputOptions;

interface Carried {
  readonly connections: number;
  readonly connectionsTotal: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}
const carriedColumns = <T extends Carried>(): Column<T>[] => [
  { title: 'CONNS', of: (one) => countText(one.connections), right: true },
  { title: 'CONNS TOTAL', of: (one) => countText(one.connectionsTotal), right: true },
  { title: 'IN', of: (one) => bytesText(one.receivedBytes), right: true },
  { title: 'OUT', of: (one) => bytesText(one.sentBytes), right: true },
];
const requestColumns = <T extends { readonly requests?: RequestCounts }>(): Column<T>[] => [
  {
    title: 'REQUESTS',
    of: ({ requests }) => (requests === undefined ? '-' : countText(requests.total)),
    right: true,
  },
  {
    title: 'P99',
    of: ({ requests }) => millisecondsText(inMilliseconds(requests?.latency?.p99)),
    right: true,
  },
];
const inMilliseconds = (seconds: number | undefined): number | undefined =>
  seconds === undefined ? undefined : seconds * 1000;

const failed = (errors: Readonly<Record<string, number>>): number =>
  Object.values(errors).reduce((sum, count) => sum + count, 0);

const listenerColumns: Column<ListenerAnswer>[] = [
  { title: 'LISTENER', of: ({ name }) => name },
  { title: 'ADDRESS', of: ({ address }) => address },
  { title: 'MODE', of: ({ mode }) => mode },
  { title: 'ROUTES', of: ({ routes }) => routes, right: true },
  ...carriedColumns<ListenerAnswer>(),
  ...requestColumns<ListenerAnswer>(),
  { title: 'SOURCE', of: ({ source }) => source },
];

export const takesWork = ({ state, health, weight, removing }: BackendAnswer): boolean =>
  state === 'up' && !removing && weight > 0 && health !== 'unhealthy' && health !== 'ejected';

const poolColumns: Column<PoolAnswer>[] = [
  { title: 'POOL', of: ({ name }) => name },
  { title: 'STRATEGY', of: ({ strategy }) => strategy },
  {
    title: 'READY',
    of: ({ backends }) => `${backends.filter(takesWork).length}/${backends.length}`,
    right: true,
  },
  ...carriedColumns<PoolAnswer>(),
  ...requestColumns<PoolAnswer>(),
  { title: 'ERRORS', of: ({ errors }) => countText(failed(errors)), right: true },
  { title: 'SOURCE', of: ({ source }) => source },
];

const backendColumns: Column<BackendAnswer>[] = [
  {
    title: 'BACKEND',
    of: ({ pool, id, label }) => `${pool}/${id}${label === undefined ? '' : ` (${label})`}`,
  },
  { title: 'STATE', of: ({ state, removing }) => (removing ? `${state}, removed` : state) },
  {
    title: 'HEALTH',
    of: ({ health, lastCheck }) =>
      lastCheck === undefined || lastCheck.ok ? health : `${health}: ${lastCheck.reason}`,
  },
  { title: 'WEIGHT', of: ({ weight }) => weight, right: true },
  ...carriedColumns<BackendAnswer>(),
  {
    title: 'REQUESTS',
    of: ({ requestsTotal }) => (requestsTotal === undefined ? '-' : countText(requestsTotal)),
    right: true,
  },
  { title: 'ERRORS', of: ({ errors }) => countText(failed(errors)), right: true },
  { title: 'SOURCE', of: ({ source }) => source },
];

function write(terminal: Terminal, ...blocks: readonly (readonly string[])[]): void {
  const filled = blocks.filter((block) => block.length > 0);
  terminal.write(`${filled.map((block) => block.join('\n')).join('\n\n')}\n`);
}
const orNone = (lines: readonly string[], what: string): readonly string[] =>
  lines.length > 0 ? lines : [`there are no ${what}`];

const styles = { healthy: 'green', unhealthy: 'red', draining: 'yellow' } as const;

function headLines(health: HealthAnswer, version: VersionAnswer, terminal: Terminal): string[] {
  const { status, reasons, generation, uptimeSeconds } = health;
  const { engine, workers, pid } = version;
  const parts = [
    paint(terminal, styles[status], status),
    `up ${secondsText(uptimeSeconds)}`,
    `generation ${generation}`,
    `${workers} workers on ${engine}`,
    `pid ${pid}`,
  ];
  return [`sluice ${health.version}: ${parts.join(', ')}`, ...reasons.map(printable)];
}

// Exit code 1 unless it is healthy, so that it does for a container's health check.
export async function status(options: ShowOptions, terminal: Terminal): Promise<number> {
  const client = new AdminClient(options);
  const health = await client.json<HealthAnswer>('GET', '/api/v1/health', { also: 503 });
  const [version, listeners, pools] = await Promise.all([
    client.get<VersionAnswer>('/api/v1/version'),
    client.get<ListenerAnswer[]>('/api/v1/listeners'),
    client.get<PoolAnswer[]>('/api/v1/pools'),
  ]);
  if (options.output === 'json') writeJson(terminal, { health, version, listeners, pools });
  else {
    write(
      terminal,
      headLines(health, version, terminal),
      table(listeners, listenerColumns, terminal),
      table(pools, poolColumns, terminal),
    );
  }
  return health.status === 'healthy' ? exitCodes.ok : exitCodes.failed;
}

export async function pools(options: ShowOptions, terminal: Terminal): Promise<number> {
  const all = await new AdminClient(options).get<PoolAnswer[]>('/api/v1/pools');
  if (options.output === 'json') writeJson(terminal, all);
  else write(terminal, orNone(table(all, poolColumns, terminal), 'pools'));
  return exitCodes.ok;
}

// Of one pool, or of all.
export async function backends(
  pool: string | undefined,
  options: ShowOptions,
  terminal: Terminal,
): Promise<number> {
  const client = new AdminClient(options);
  const all =
    pool === undefined
      ? (await client.get<PoolAnswer[]>('/api/v1/pools')).flatMap((one) => one.backends)
      : await client.get<BackendAnswer[]>(`/api/v1/pools/${encodeURIComponent(pool)}/backends`);
  if (options.output === 'json') writeJson(terminal, all);
  else write(terminal, orNone(table(all, backendColumns, terminal), 'backends'));
  return exitCodes.ok;
}
