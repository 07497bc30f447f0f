// Is it healthy, how much traffic, how slow, what is wrong: on one screen.
import { signal } from '@preact/signals';
import { backendsUp, type Concern, concernsOf } from '../concerns.ts';
import { bytesPerSecond, count, latency, percent, perSecond, plural } from '../format.ts';
import { hrefOf } from '../location.ts';
import { Chart, type ChartProps } from '../parts/chart.tsx';
import { Choice } from '../parts/choice.tsx';
import { Heading } from '../parts/heading.tsx';
import * as store from '../store.ts';
import { ListenerTable, PoolTable, WorkerTable } from './overview-tables.tsx';

const range = signal(300);
const ranges = [
  [60, '1 min'],
  [300, '5 min'],
  [600, '10 min'],
] as const;
// Tiles say the mean of so many seconds: those of one second cannot be read.
const tileSeconds = 5;
const concernSeconds = 10;
const concernsShown = 6;

type ChartOf = Omit<ChartProps, 'seconds'>;

const httpCharts: readonly ChartOf[] = [
  {
    title: 'Requests',
    lines: [{ label: 'requests', column: 'requests', colour: '--line-1', isFilled: true }],
    format: perSecond,
    atLeast: 1,
  },
  {
    title: 'Error rate',
    lines: [
      { label: '5xx', column: 'serverErrors', colour: '--line-bad', isFilled: true },
      { label: '4xx', column: 'clientErrors', colour: '--line-warning' },
    ],
    format: percent,
    atLeast: 0.01,
  },
  {
    title: 'Latency',
    lines: [
      { label: 'p50', column: 'p50', colour: '--line-1' },
      { label: 'p95', column: 'p95', colour: '--line-2' },
      { label: 'p99', column: 'p99', colour: '--line-3' },
    ],
    format: latency,
    atLeast: 0.001,
  },
];
const tcpCharts: readonly ChartOf[] = [
  {
    title: 'New connections',
    lines: [{ label: 'opened', column: 'opened', colour: '--line-1', isFilled: true }],
    format: perSecond,
    atLeast: 1,
  },
  {
    title: 'Open connections',
    lines: [{ label: 'open', column: 'connections', colour: '--line-2', isFilled: true }],
    format: count,
    atLeast: 1,
  },
];
const throughput: ChartOf = {
  title: 'Throughput',
  lines: [
    { label: 'from clients', column: 'received', colour: '--line-2' },
    { label: 'to clients', column: 'sent', colour: '--line-1', isFilled: true },
  ],
  format: bytesPerSecond,
  atLeast: 1000,
};

function Tile(props: { name: string; value: string; more?: string | undefined; tone?: string }) {
  const { name, value, more, tone = '' } = props;
  return (
    <div class={`card tile ${tone}`}>
      <dt>{name}</dt>
      <dd class="tile-value">{value}</dd>
      <dd class="tile-more">{more ?? '\u00a0'}</dd>
    </div>
  );
}

const errorTone = (share: number | null): string =>
  share === null || share < 0.01 ? '' : share < 0.05 ? 'tone-warning' : 'tone-bad';

function Tiles({ isHttp }: { isHttp: boolean }) {
  void store.beat.value;
  const mean = (column: Parameters<typeof store.history.mean>[0]): number | null =>
    store.history.mean(column, tileSeconds);
  const latest: typeof mean = (column) => store.history.latest(column, tileSeconds);
  const errors = mean('serverErrors');
  const { up, all, text } = backendsUp(store.pools.value);
  const requests = store.stats.value?.requests;
  const tone = up === 0 && all > 0 ? 'tone-bad' : up < all ? 'tone-warning' : '';
  return (
    <dl class="tiles">
      {isHttp && (
        <>
          <Tile
            name="Requests"
            value={perSecond(mean('requests'))}
            more={`${count(requests?.inFlight)} under way`}
          />
          <Tile
            name="Error rate"
            value={percent(errors ?? (mean('requests') === null ? null : 0))}
            more={`4xx ${percent(mean('clientErrors') ?? 0)}`}
            tone={errorTone(errors)}
          />
          <Tile
            name="Latency p95"
            value={latency(latest('p95'))}
            more={`p99 ${latency(latest('p99'))}`}
          />
        </>
      )}
      <Tile
        name="Connections"
        value={count(store.stats.value?.connections)}
        more={`${perSecond(mean('opened'))} new`}
      />
      <Tile
        name="To clients"
        value={bytesPerSecond(mean('sent'))}
        more={`from clients ${bytesPerSecond(mean('received'))}`}
      />
      <Tile
        name="Backends up"
        value={text}
        more={`in ${plural(store.pools.value.length, 'pool')}`}
        tone={tone}
      />
    </dl>
  );
}

function ConcernLine({ severity, what, reason, view }: Concern) {
  return (
    <li class={`concern concern-${severity}`}>
      <a href={hrefOf(view)}>
        <span class="unseen">{severity === 'bad' ? 'Error: ' : 'Warning: '}</span>
        {what}
      </a>
      {reason !== '' && <span class="muted">{reason}</span>}
    </li>
  );
}

const isAllShown = signal(false);

function Concerns() {
  void store.beat.value;
  if (store.stats.value === undefined || store.health.value === undefined) return null;
  const found = concernsOf({
    health: store.health.value,
    pools: store.pools.value,
    containers: store.containers.value,
    config: store.config.value,
    rates: store.rates,
    serverErrors: store.history.mean('serverErrors', concernSeconds),
  });
  if (found.length === 0) {
    return (
      <p class="card all-well">
        <span aria-hidden="true">✓</span> All is well.
      </p>
    );
  }
  const listed = isAllShown.value ? found : found.slice(0, concernsShown);
  return (
    <section class="card concerns" aria-label="What is wrong">
      <ul>
        {listed.map((concern, place) => (
          <ConcernLine key={`${concern.what} ${place}`} {...concern} />
        ))}
      </ul>
      {listed.length < found.length && (
        <button
          type="button"
          class="plain"
          onClick={() => {
            isAllShown.value = true;
          }}
        >
          {found.length - listed.length} more
        </button>
      )}
    </section>
  );
}

export function Overview() {
  const listeners = store.listeners.value;
  const isHttp = listeners.length === 0 || listeners.some(({ mode }) => mode === 'http');
  const charts = [...(isHttp ? httpCharts : tcpCharts), throughput];
  return (
    <>
      <Heading title="Overview">
        <Choice label="Time shown" options={ranges} chosen={range} />
      </Heading>
      <Concerns />
      <Tiles isHttp={isHttp} />
      <div class="charts">
        {charts.map((chart) => (
          <Chart key={chart.title} {...chart} seconds={range.value} />
        ))}
      </div>
      <div class="columns">
        <ListenerTable />
        <PoolTable />
        <WorkerTable />
      </div>
    </>
  );
}
