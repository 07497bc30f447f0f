// What happened, newest first.
import type { EventMessage } from '../../admin/api-types.ts';
import { fits } from '../filter.ts';
import { ago, clock, plural } from '../format.ts';
import { Badge, type Tone } from '../parts/badge.tsx';
import { Heading } from '../parts/heading.tsx';
import { type ColumnOf, Table } from '../parts/table.tsx';
import * as store from '../store.ts';

// Names that say trouble, whatever they are of.
const tones: readonly (readonly [RegExp, Tone])[] = [
  [/stuck|failed|error|refused|unhealthy|missed/, 'bad'],
  [/ejected|fallback|closed|skipped|drain|removed/, 'warning'],
  [/recovered|healthy|listening|added/, 'good'],
];
const toneOf = (name: string): Tone =>
  tones.find(([pattern]) => pattern.test(name))?.[1] ?? 'quiet';

const valueText = (value: unknown): string =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? '');

const detailText = ({ detail }: EventMessage): string =>
  Object.entries(detail)
    .map(([name, value]) => `${name} ${valueText(value)}`)
    .join(' · ');

const columns: readonly ColumnOf<EventMessage>[] = [
  {
    title: 'Time',
    cell: ({ at }) => (
      <time dateTime={at} title={at}>
        {clock(Date.parse(at))} <span class="muted">{ago(at, store.nowMs.value)}</span>
      </time>
    ),
  },
  { title: 'Event', cell: ({ name }) => <Badge tone={toneOf(name)} text={name} /> },
  { title: 'What', isWide: true, cell: (event) => detailText(event) },
];

export function Events() {
  const all = store.events.value;
  const rows = all.filter((event) => fits(store.search.value, [event.name, detailText(event)]));
  return (
    <>
      <Heading title="Events" summary={plural(all.length, 'event')} searched="events" />
      <section class="card">
        <Table
          caption="Events, newest first"
          columns={columns}
          rows={rows}
          keyOf={({ id }) => String(id)}
          empty={all.length === 0 ? 'Nothing has happened yet.' : 'No event fits the search.'}
        />
      </section>
    </>
  );
}
