// Which requests go where, those that fail first.
import type { RouteAnswer } from '../../admin/api-types.ts';
import { fits } from '../filter.ts';
import { count, latency, percent, perSecond, plural } from '../format.ts';
import { Heading } from '../parts/heading.tsx';
import { type ColumnOf, Table } from '../parts/table.tsx';
import * as store from '../store.ts';

const keyOf = ({ listener, host, pathPrefix }: RouteAnswer): string =>
  `${listener} ${host} ${pathPrefix}`;

// Of all that were answered.
function serverErrors({ requests }: RouteAnswer): number | undefined {
  if (requests === undefined || requests.total === 0) return undefined;
  return (requests.classes['5xx'] ?? 0) / requests.total;
}

const columns: readonly ColumnOf<RouteAnswer>[] = [
  {
    title: 'Host',
    isWide: true,
    cell: ({ host }) => (host === '' ? <span class="muted">every host</span> : <b>{host}</b>),
  },
  {
    title: 'Path',
    cell: ({ pathPrefix }) =>
      pathPrefix === '' ? <span class="muted">every path</span> : <code>{pathPrefix}</code>,
  },
  { title: 'Pool', cell: ({ pool }) => pool },
  { title: 'Listener', cell: ({ listener }) => listener },
  { title: 'Source', cell: ({ source }) => <span class="muted">{source}</span> },
  {
    title: 'Rate',
    isNumber: true,
    cell: (route) => perSecond(store.rates.of(`route ${keyOf(route)}`)),
  },
  { title: 'Requests', isNumber: true, cell: ({ requests }) => count(requests?.total) },
  {
    title: '5xx',
    isNumber: true,
    hint: 'share since the start',
    cell: (route) => percent(serverErrors(route)),
  },
  {
    title: 'p50',
    isNumber: true,
    hint: 'since the start',
    cell: ({ requests }) => latency(requests?.latency?.p50),
  },
  {
    title: 'p95',
    isNumber: true,
    hint: 'since the start',
    cell: ({ requests }) => latency(requests?.latency?.p95),
  },
  {
    title: 'p99',
    isNumber: true,
    hint: 'since the start',
    cell: ({ requests }) => latency(requests?.latency?.p99),
  },
];

const isFailing = (route: RouteAnswer): boolean => (serverErrors(route) ?? 0) >= 0.01;

export function Routes() {
  void store.beat.value;
  const all = store.routes.value;
  const rows = all
    .filter(({ host, pathPrefix, pool, listener, source }) =>
      fits(store.search.value, [host, pathPrefix, pool, listener, source]),
    )
    .sort((a, b) => Number(isFailing(b)) - Number(isFailing(a)));
  return (
    <>
      <Heading title="Routes" summary={plural(all.length, 'route')} searched="routes" />
      <section class="card">
        <Table
          caption="Routes"
          columns={columns}
          rows={rows}
          keyOf={keyOf}
          tone={(route) => (isFailing(route) ? 'row-bad' : '')}
          empty={all.length === 0 ? 'No routes.' : 'No route fits the search.'}
        />
      </section>
    </>
  );
}
