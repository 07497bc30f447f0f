// The tables of the overview: a line for each listener, pool and worker.
import type { ListenerAnswer, PoolAnswer, WorkerHealthAnswer } from '../../admin/api-types.ts';
import { isUsable } from '../concerns.ts';
import { bytes, count, duration, latency, perSecond } from '../format.ts';
import { hrefOf } from '../location.ts';
import { Badge, type Tone } from '../parts/badge.tsx';
import { type ColumnOf, Table } from '../parts/table.tsx';
import * as store from '../store.ts';

const listenerColumns: readonly ColumnOf<ListenerAnswer>[] = [
  { title: 'Listener', isWide: true, cell: ({ name }) => <b>{name}</b> },
  {
    title: 'Address',
    cell: ({ address, mode }) => (
      <>
        <code>{address}</code> <span class="muted">{mode}</span>
      </>
    ),
  },
  {
    title: 'Rate',
    isNumber: true,
    hint: 'requests in mode http, new connections in mode tcp',
    cell: ({ name }) => perSecond(store.rates.of(`listener ${name}`)),
  },
  { title: 'Open', isNumber: true, cell: ({ connections }) => count(connections) },
  { title: 'Rejected', isNumber: true, cell: ({ rejectedTotal }) => count(rejectedTotal) },
  { title: 'Sent', isNumber: true, cell: ({ sentBytes }) => bytes(sentBytes) },
];

export function ListenerTable() {
  void store.beat.value;
  return (
    <section class="card" aria-label="Listeners">
      <h2>Listeners</h2>
      <Table
        caption="Listeners"
        columns={listenerColumns}
        rows={store.listeners.value}
        keyOf={({ name }) => name}
        empty="No listeners."
      />
    </section>
  );
}

function PoolState({ backends }: PoolAnswer) {
  const usable = backends.filter(isUsable).length;
  const tone: Tone = usable === 0 ? 'bad' : usable < backends.length ? 'warning' : 'good';
  return <Badge tone={tone} text={`${usable} / ${backends.length} up`} />;
}

const poolColumns: readonly ColumnOf<PoolAnswer>[] = [
  {
    title: 'Pool',
    isWide: true,
    cell: ({ name }) => (
      <a href={hrefOf('pools')}>
        <b>{name}</b>
      </a>
    ),
  },
  { title: 'Backends', cell: (pool) => <PoolState {...pool} /> },
  {
    title: 'Rate',
    isNumber: true,
    cell: ({ name }) => perSecond(store.rates.of(`pool ${name}`)),
  },
  {
    title: '5xx',
    isNumber: true,
    cell: ({ name, requests }) =>
      requests === undefined ? '–' : perSecond(store.rates.of(`pool ${name} 5xx`)),
  },
  {
    title: 'p95',
    isNumber: true,
    hint: 'since the start',
    cell: ({ requests }) => latency(requests?.latency?.p95),
  },
  { title: 'Open', isNumber: true, cell: ({ connections }) => count(connections) },
];

export function PoolTable() {
  void store.beat.value;
  return (
    <section class="card" aria-label="Pools">
      <h2>Pools</h2>
      <Table
        caption="Pools"
        columns={poolColumns}
        rows={store.pools.value}
        keyOf={({ name }) => name}
        empty="No pools."
      />
    </section>
  );
}

const conditionTones: Readonly<Record<WorkerHealthAnswer['condition'], Tone>> = {
  ok: 'good',
  starting: 'busy',
  ending: 'warning',
  stuck: 'bad',
  failed: 'bad',
};

const workerColumns: readonly ColumnOf<WorkerHealthAnswer>[] = [
  { title: 'Worker', cell: ({ worker }) => <b>{worker}</b> },
  {
    title: 'State',
    isWide: true,
    cell: ({ condition, state }) => (
      <Badge tone={conditionTones[condition]} text={condition} hint={state} />
    ),
  },
  { title: 'Engine', cell: ({ engine }) => engine },
  {
    title: 'CPU',
    isNumber: true,
    hint: 'share of one processor',
    cell: ({ worker }) => store.cpuOf(worker),
  },
  {
    title: 'Open',
    isNumber: true,
    cell: ({ worker }) =>
      count(store.stats.value?.workers.find(({ index }) => index === worker)?.connections),
  },
  {
    title: 'Heartbeat',
    isNumber: true,
    cell: ({ heartbeatAgeMs }) =>
      heartbeatAgeMs < 1000 ? `${heartbeatAgeMs}\u00a0ms` : duration(heartbeatAgeMs / 1000),
  },
];

export function WorkerTable() {
  void store.beat.value;
  return (
    <section class="card" aria-label="Workers">
      <h2>Workers</h2>
      <Table
        caption="Workers"
        columns={workerColumns}
        rows={store.health.value?.workers ?? []}
        keyOf={({ worker }) => String(worker)}
        empty="No workers."
      />
    </section>
  );
}
