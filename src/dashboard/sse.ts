// Server-sent events out of a stream of text, by the rules of the HTML standard ("Parsing an event
// stream"). EventSource does the same, but cannot send a token. Pure but for what it holds.

export interface ServerEvent {
  readonly name: string;
  readonly data: string;
}

export class EventParser {
  #held = '';
  #name = '';
  #data: string[] = [];
  // Of the last event that had one; what a new connection says it has seen.
  lastId: string | undefined;

  // Events that are complete with this piece.
  take(piece: string): ServerEvent[] {
    const lines = `${this.#held}${piece}`.split(/\r\n|\n|\r(?!$)/);
    this.#held = lines.pop() ?? '';
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): ServerEvent[] {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return [];
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#name = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'id' && !value.includes('\0')) this.lastId = value;
    return [];
  }

  #dispatch(): ServerEvent[] {
    const name = this.#name === '' ? 'message' : this.#name;
    const data = this.#data;
    this.#name = '';
    this.#data = [];
    return data.length === 0 ? [] : [{ name, data: data.join('\n') }];
  }
}
