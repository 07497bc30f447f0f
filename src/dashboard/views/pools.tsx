// Pools with their backends, those in trouble first, and what can be done about them.
import type { BackendAnswer, PoolAnswer } from '../../admin/api-types.ts';
import { isUsable, reasonOfBackend } from '../concerns.ts';
import { fits } from '../filter.ts';
import { ago, bytes, count, latency, perSecond, plural, words } from '../format.ts';
import { BackendActions, Weight } from '../parts/backend-actions.tsx';
import { BackendBadges } from '../parts/badge.tsx';
import { Heading } from '../parts/heading.tsx';
import { type ColumnOf, Table } from '../parts/table.tsx';
import * as store from '../store.ts';

// 0 is in trouble, 1 is out by intent, 2 serves.
const rank = (backend: BackendAnswer): number => {
  if (backend.health === 'unhealthy' || backend.health === 'ejected') return 0;
  return isUsable(backend) ? 2 : 1;
};

function errorText(errors: Readonly<Record<string, number>>): string {
  return Object.entries(errors)
    .filter(([, total]) => total > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, total]) => `${words(reason)} ${count(total)}`)
    .join(', ');
}

function Name({ id, label, address }: BackendAnswer) {
  return (
    <span class="name">
      <b>{label ?? id}</b>
      {label !== undefined && <code>{id}</code>}
      {address !== id && <code>{address}</code>}
    </span>
  );
}

function State({ backend }: { backend: BackendAnswer }) {
  const reason = reasonOfBackend(backend);
  const { lastCheck } = backend;
  return (
    <span class="state">
      <BackendBadges backend={backend} />
      {reason !== '' && (
        <span class="reason">
          {reason}
          {lastCheck !== undefined && (
            <span class="muted"> {ago(lastCheck.at, store.nowMs.value)}</span>
          )}
        </span>
      )}
    </span>
  );
}

function Errors({ errors }: BackendAnswer) {
  const sum = Object.values(errors).reduce((total, amount) => total + amount, 0);
  if (sum === 0) return <>0</>;
  return (
    <span class="name errors">
      {count(sum)}
      <span class="muted small">{errorText(errors)}</span>
    </span>
  );
}

const columnsOf = (pool: PoolAnswer): readonly ColumnOf<BackendAnswer>[] => [
  { title: 'Backend', isWide: true, cell: (backend) => <Name {...backend} /> },
  { title: 'State', cell: (backend) => <State backend={backend} /> },
  {
    title: 'Rate',
    isNumber: true,
    cell: ({ id }) => perSecond(store.rates.of(`backend ${pool.name} ${id}`)),
  },
  { title: 'Open', isNumber: true, cell: ({ connections }) => count(connections) },
  {
    title: 'Sent to it',
    isNumber: true,
    cell: ({ sentBytes }) => bytes(sentBytes),
  },
  { title: 'Received', isNumber: true, cell: ({ receivedBytes }) => bytes(receivedBytes) },
  { title: 'Errors', isNumber: true, cell: (backend) => <Errors {...backend} /> },
  {
    title: 'Weight',
    isNumber: true,
    cell: (backend) => <Weight pool={pool} backend={backend} />,
  },
  { title: 'Actions', cell: (backend) => <BackendActions pool={pool} backend={backend} /> },
];

function PoolFacts({ pool }: { pool: PoolAnswer }) {
  const { name, strategy, source, requests, retriesTotal, errors } = pool;
  const failures = errorText(errors);
  return (
    <p class="pool-facts">
      <span>{strategy}</span>
      <span>from {source}</span>
      <span>
        {perSecond(store.rates.of(`pool ${name}`))} {requests === undefined ? 'connections' : ''}
      </span>
      {requests?.latency !== undefined && (
        <span title="since the start">
          p50 {latency(requests.latency.p50)} · p95 {latency(requests.latency.p95)} · p99{' '}
          {latency(requests.latency.p99)}
        </span>
      )}
      {retriesTotal > 0 && <span>{plural(retriesTotal, 'second try', 'second tries')}</span>}
      {failures !== '' && <span class="reason">{failures}</span>}
    </p>
  );
}

const worst = (pool: PoolAnswer): number => {
  if (!pool.backends.some(isUsable)) return -1;
  return Math.min(...pool.backends.map(rank));
};

const fitsBackend = (pool: PoolAnswer, backend: BackendAnswer): boolean =>
  fits(store.search.value, [
    pool.name,
    backend.id,
    backend.label,
    backend.address,
    backend.state,
    backend.health,
  ]);

export function Pools() {
  void store.beat.value;
  const all = store.pools.value;
  const shown = all
    .map((pool) => ({ pool, rows: pool.backends.filter((one) => fitsBackend(pool, one)) }))
    .filter(({ pool, rows }) => rows.length > 0 || fits(store.search.value, [pool.name]))
    .sort((a, b) => worst(a.pool) - worst(b.pool));
  const backends = all.reduce((sum, pool) => sum + pool.backends.length, 0);
  const summary = `${plural(all.length, 'pool')}, ${plural(backends, 'backend')}`;
  return (
    <>
      <Heading title="Pools" summary={summary} searched="pools and backends" />
      {shown.length === 0 && (
        <p class="card empty">{all.length === 0 ? 'No pools.' : 'Nothing fits the search.'}</p>
      )}
      {shown.map(({ pool, rows }) => (
        <section class="card aligned" key={pool.name} aria-label={`Pool ${pool.name}`}>
          <div class="card-head">
            <h2>{pool.name}</h2>
            <PoolFacts pool={pool} />
          </div>
          <Table
            caption={`Backends of ${pool.name}`}
            columns={columnsOf(pool)}
            rows={rows.sort((a, b) => rank(a) - rank(b))}
            keyOf={({ id }) => id}
            tone={(backend) => (rank(backend) === 0 ? 'row-bad' : '')}
            empty="No backends."
          />
        </section>
      ))}
    </>
  );
}
