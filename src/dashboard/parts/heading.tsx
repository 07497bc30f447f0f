// The head of a view: its name, what it counts, and the search in it.
import type { ComponentChildren } from 'preact';
import { search } from '../store.ts';

interface Props {
  readonly title: string;
  readonly summary?: string;
  // What a search looks at; no field without it.
  readonly searched?: string;
  readonly children?: ComponentChildren;
}

export function Heading({ title, summary = '', searched, children }: Props) {
  return (
    <div class="heading">
      <h1 tabIndex={-1}>{title}</h1>
      <span class="muted">{summary}</span>
      <span class="heading-tools">
        {children}
        {searched !== undefined && (
          <input
            type="search"
            placeholder={`Search ${searched}`}
            aria-label={`Search ${searched}`}
            aria-keyshortcuts="/"
            value={search.value}
            onInput={({ currentTarget }) => {
              search.value = currentTarget.value;
            }}
          />
        )}
      </span>
    </div>
  );
}
