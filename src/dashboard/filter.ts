// Rows that a search leaves: each of its words is somewhere in the row's text. Pure.

export function fits(search: string, texts: readonly (string | undefined)[]): boolean {
  const text = texts
    .filter((part) => part !== undefined)
    .join('\n')
    .toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
