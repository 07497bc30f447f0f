import { describe, expect, it } from 'vitest';
import { eventLine, serverEvents } from '../../../src/cli/events.ts';
import type { Terminal } from '../../../src/cli/terminal.ts';

async function parsed(text: string) {
  const lines = async function* () {
    yield* text.split('\n');
  };
  const all = [];
  for await (const event of serverEvents(lines())) all.push(event);
  return all;
}

describe('server-sent events', () => {
  it('end with a blank line; comments and other fields are passed over', async () => {
    const text =
      'retry: 2000\n\n: alive\n\nid: 1\ndata: {"a":1}\n\nevent: stats\ndata:x\ndata: y\n\n';
    expect(await parsed(text)).toEqual([
      { type: 'message', data: '{"a":1}' },
      { type: 'stats', data: 'x\ny' },
    ]);
  });

  it('that were cut off are none', async () => {
    expect(await parsed('data: half')).toEqual([]);
    expect(await parsed('data\n\n')).toEqual([{ type: 'message', data: '' }]);
  });
});

describe('the line of an event', () => {
  const plain: Terminal = { write: () => {}, width: undefined, colours: false };
  it('has its fields, quoted where they need it', () => {
    const detail = { pool: 'web', backend: '127.0.0.1:1', reason: 'two words', cut: 0 };
    const event = { id: 1, at: '2026-01-01T00:00:00.000Z', name: 'backend:drained', detail };
    expect(eventLine(event, plain)).toBe(
      '2026-01-01T00:00:00.000Z  backend:drained  pool=web  backend=127.0.0.1:1  ' +
        'reason="two words"  cut=0',
    );
  });

  it('cannot write on the terminal', () => {
    const event = { id: 1, at: 'now', name: 'x\x1b[2J', detail: { a: '\x1b[31m' } };
    expect(eventLine(event, plain)).toBe('now  x�[2J  a="\\u001b[31m"');
  });
});
