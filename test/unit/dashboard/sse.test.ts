import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EventParser, type ServerEvent } from '../../../src/dashboard/sse.ts';

const stream = [
  'retry: 2000\n\n',
  ': alive\n\n',
  'id: 7\ndata: {"a":1}\n\n',
  'event: stats\r\ndata: one\r\ndata:two\r\n\r\n',
  'event: lost\n\n',
  'data\n\n',
  'data: µ€😀\n\n',
  'id: 8\ndata:  two blanks\n\n',
].join('');

const expected: ServerEvent[] = [
  { name: 'message', data: '{"a":1}' },
  { name: 'stats', data: 'one\ntwo' },
  { name: 'message', data: '' },
  { name: 'message', data: 'µ€😀' },
  { name: 'message', data: ' two blanks' },
];

it('reads events, and remembers the last id', () => {
  const parser = new EventParser();
  expect(parser.take(stream)).toEqual(expected);
  expect(parser.lastId).toBe('8');
});

it('reads the same however the stream is cut', () => {
  const cuts = fc.array(fc.nat(stream.length), { maxLength: 12 });
  fc.assert(
    fc.property(cuts, (places) => {
      const parser = new EventParser();
      const ends = [...places.sort((a, b) => a - b), stream.length];
      const pieces = ends.map((end, index) => stream.slice(ends[index - 1] ?? 0, end));
      expect(pieces.flatMap((piece) => parser.take(piece))).toEqual(expected);
    }),
  );
});

it('gives an event when it is complete and not before', () => {
  const parser = new EventParser();
  expect(parser.take('data: x\n')).toEqual([]);
  expect(parser.take('\n')).toEqual([{ name: 'message', data: 'x' }]);
});
