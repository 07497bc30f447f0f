// The screen of `sluice top`. Pure: figures in, lines out.
import { type Column, cut, table } from './table.ts';
import { paint, type Terminal } from './terminal.ts';
import type {
  BackendFigures,
  Figures,
  ListenerFigures,
  PoolFigures,
  Rates,
  WorkerFigures,
} from './top-figures.ts';
import { bytesText, countText, millisecondsText, rateText, secondsText } from './units.ts';

export const sorts = ['traffic', 'connections', 'errors', 'name'] as const;
export type Sort = (typeof sorts)[number];

export interface Head {
  readonly version: string;
  readonly pid: number;
  readonly uptimeSeconds: number;
  // Something to be told beside the figures.
  readonly notice: string | undefined;
}

export interface View extends Pick<Terminal, 'width' | 'colours'> {
  // Lines; undefined: as many as there are.
  readonly height: number | undefined;
  readonly sort: Sort;
}

type Sortable = Omit<Rates, 'inFlight'>;

const weightOf: Readonly<Record<Exclude<Sort, 'name'>, (one: Sortable) => number>> = {
  traffic: (one) => one.requestsPerSecond * 1e12 + one.connectionsPerSecond * 1e9 + bytes(one),
  connections: ({ connections }) => connections,
  errors: ({ errorsPerSecond }) => errorsPerSecond,
};
const bytes = ({ receivedBytesPerSecond, sentBytesPerSecond }: Sortable): number =>
  receivedBytesPerSecond + sentBytesPerSecond;

export function sorted<T extends Sortable>(
  all: readonly T[],
  sort: Sort,
  nameOf: (one: T) => string,
): T[] {
  const byName = (a: T, b: T): number => (nameOf(a) < nameOf(b) ? -1 : 1);
  if (sort === 'name') return [...all].sort(byName);
  const weight = weightOf[sort];
  return [...all].sort((a, b) => weight(b) - weight(a) || byName(a, b));
}

const rateColumns = <T extends Sortable>(): Column<T>[] => [
  { title: 'CONNS', of: (one) => countText(one.connections), right: true },
  { title: 'CONN/S', of: (one) => rateText(one.connectionsPerSecond), right: true },
  { title: 'REQ/S', of: (one) => rateText(one.requestsPerSecond), right: true },
  { title: 'ERR/S', of: (one) => rateText(one.errorsPerSecond), right: true },
  { title: 'IN/S', of: (one) => bytesText(one.receivedBytesPerSecond), right: true },
  { title: 'OUT/S', of: (one) => bytesText(one.sentBytesPerSecond), right: true },
];
const latencyColumns = <T extends ListenerFigures | PoolFigures>(): Column<T>[] => [
  { title: 'P50', of: ({ latency }) => millisecondsText(latency?.p50), right: true },
  { title: 'P95', of: ({ latency }) => millisecondsText(latency?.p95), right: true },
  { title: 'P99', of: ({ latency }) => millisecondsText(latency?.p99), right: true },
];

const workerColumns: Column<WorkerFigures>[] = [
  { title: 'WORKER', of: ({ index }) => index },
  { title: 'STATE', of: ({ state }) => state },
  { title: 'ENGINE', of: ({ engine }) => engine },
  {
    title: 'CPU',
    of: ({ cpuPercent }) => (cpuPercent === undefined ? '-' : `${cpuPercent.toFixed(0)}%`),
    right: true,
  },
  { title: 'CONNS', of: ({ connections }) => countText(connections), right: true },
  { title: 'ACCEPT/S', of: ({ acceptedPerSecond }) => rateText(acceptedPerSecond), right: true },
  { title: 'TURN', of: ({ heartbeatAgeMs }) => `${heartbeatAgeMs}ms ago`, right: true },
];
const listenerColumns: Column<ListenerFigures>[] = [
  { title: 'LISTENER', of: ({ name }) => name },
  { title: 'ADDRESS', of: ({ address }) => address },
  ...rateColumns<ListenerFigures>(),
  ...latencyColumns<ListenerFigures>(),
];
const poolColumns: Column<PoolFigures>[] = [
  { title: 'POOL', of: ({ name }) => name },
  { title: 'BACKENDS', of: ({ backends }) => backends.length, right: true },
  ...rateColumns<PoolFigures>(),
  ...latencyColumns<PoolFigures>(),
];
type Member = BackendFigures & { readonly pool: string };
const backendColumns: Column<Member>[] = [
  { title: 'BACKEND', of: ({ pool, id }) => `${pool}/${id}` },
  { title: 'STATE', of: ({ state }) => state },
  { title: 'HEALTH', of: ({ health }) => health },
  { title: 'WEIGHT', of: ({ weight }) => weight, right: true },
  ...rateColumns<Member>(),
];

function headLines({ total, generation, workers }: Figures, head: Head, view: View): string[] {
  const { version, pid, uptimeSeconds, notice } = head;
  const engine = workers[0]?.engine ?? 'none';
  const who = `sluice ${version}  pid ${pid}  up ${secondsText(uptimeSeconds)}`;
  const what = `generation ${generation}  ${workers.length} workers on ${engine}`;
  const sums = [
    `${countText(total.connections)} connections`,
    `${rateText(total.connectionsPerSecond)} conn/s`,
    `${rateText(total.requestsPerSecond)} req/s`,
    `${rateText(total.errorsPerSecond)} errors/s`,
    `in ${bytesText(total.receivedBytesPerSecond)}/s`,
    `out ${bytesText(total.sentBytesPerSecond)}/s`,
  ];
  const wide = (text: string): string => cut(text, view.width ?? text.length);
  return [
    wide(`${who}  ${what}`),
    wide(sums.join('  ')),
    ...(notice === undefined ? [] : [paint(view, 'yellow', wide(notice))]),
  ];
}

export function screen(figures: Figures, head: Head, view: View): string[] {
  const { sort, height } = view;
  const members = figures.pools.flatMap((pool): Member[] =>
    pool.backends.map((backend) => ({ ...backend, pool: pool.name })),
  );
  const blocks = [
    table(figures.workers, workerColumns, view),
    table(
      sorted(figures.listeners, sort, ({ name }) => name),
      listenerColumns,
      view,
    ),
    table(
      sorted(figures.pools, sort, ({ name }) => name),
      poolColumns,
      view,
    ),
    table(
      sorted(members, sort, ({ pool, id }) => `${pool}/${id}`),
      backendColumns,
      view,
    ),
  ];
  const lines = [
    ...headLines(figures, head, view),
    ...blocks.filter((block) => block.length > 0).flatMap((block) => ['', ...block]),
  ];
  if (height === undefined) return lines;
  const foot = paint(view, 'dim', cut(`q quit  s sort: ${sort}`, view.width ?? 80));
  const room = Math.max(0, height - 1);
  const hidden = lines.length - room;
  if (hidden <= 0) return [...lines, ...Array<string>(room - lines.length).fill(''), foot];
  return [...lines.slice(0, room), `${foot}  ${hidden} more lines below`];
}
