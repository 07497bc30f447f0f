// Containers that were found, and why some of them get no traffic: those first.
import type { ContainerAnswer } from '../../admin/api-types.ts';
import { fits } from '../filter.ts';
import { ago, plural } from '../format.ts';
import { Badge, ContainerBadge } from '../parts/badge.tsx';
import { Heading } from '../parts/heading.tsx';
import { type ColumnOf, Table } from '../parts/table.tsx';
import * as store from '../store.ts';

const order: readonly ContainerAnswer['state'][] = ['skipped', 'draining', 'balanced', 'ignored'];

const Lines = ({ texts }: { texts: readonly string[] }) => (
  <span class="name">
    {texts.length === 0 ? '–' : texts.map((text) => <code key={text}>{text}</code>)}
  </span>
);

const columns: readonly ColumnOf<ContainerAnswer>[] = [
  {
    title: 'Container',
    isWide: true,
    cell: ({ name, id }) => (
      <span class="name">
        <b>{name}</b>
        <code>{id.slice(0, 12)}</code>
      </span>
    ),
  },
  {
    title: 'State',
    isWide: true,
    cell: ({ state, reason }) => (
      <span class="state">
        <ContainerBadge state={state} />
        {reason !== undefined && <span class="reason">{reason}</span>}
      </span>
    ),
  },
  { title: 'Image', cell: ({ image }) => <code>{image}</code> },
  { title: 'Address', cell: ({ address }) => <code>{address ?? '–'}</code> },
  { title: 'Pools', cell: ({ pools }) => <Lines texts={pools} /> },
  { title: 'Routes', cell: ({ routes }) => <Lines texts={routes} /> },
];

function Engine() {
  const provider = store.containers.value?.provider;
  if (provider === undefined) {
    return (
      <p class="card empty">
        No container engine is watched. Containers appear here when the configuration names one.
      </p>
    );
  }
  const { endpoint, connected, lastSyncAt, error } = provider;
  return (
    <p class="card engine">
      <Badge tone={connected ? 'good' : 'bad'} text={connected ? 'connected' : 'not connected'} />
      <code>{endpoint}</code>
      <span class="muted">read {ago(lastSyncAt, store.nowMs.value)}</span>
      {error !== undefined && <span class="reason">{error}</span>}
    </p>
  );
}

export function Containers() {
  const all = store.containers.value?.containers ?? [];
  const rows = all
    .filter(({ name, id, image, state, reason, address, pools, routes }) =>
      fits(store.search.value, [name, id, image, state, reason, address, ...pools, ...routes]),
    )
    .sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
  const skipped = all.filter(({ state }) => state === 'skipped').length;
  const summary = `${plural(all.length, 'container')}${skipped > 0 ? `, ${skipped} skipped` : ''}`;
  return (
    <>
      <Heading title="Containers" summary={summary} searched="containers" />
      <Engine />
      {all.length > 0 && (
        <section class="card">
          <Table
            caption="Containers"
            columns={columns}
            rows={rows}
            keyOf={({ id }) => id}
            tone={({ state }) => (state === 'skipped' ? 'row-warning' : '')}
            empty="No container fits the search."
          />
        </section>
      )}
    </>
  );
}
