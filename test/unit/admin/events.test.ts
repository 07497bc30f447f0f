// Server-sent events: what was missed comes again, figures come to those who ask, slow clients go.
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { EventMessage } from '../../../src/admin/api-types.ts';
import { openDialects } from '../../../src/admin/dialects.ts';
import { AdminServer } from '../../../src/admin/server.ts';
import type { EventListener } from '../../../src/admin/source.ts';
import { ipAddress } from '../../../src/config/address.ts';
import { createLogger } from '../../../src/log.ts';
import { fakeSource, fakeView } from '../../fixtures/fake-admin.ts';
import { targetOf } from '../../fixtures/programs.ts';
import { until } from '../../fixtures/scene.ts';

const log = createLogger({ level: 'silent' });

// A client of the stream, by fetch-like reading: EventSource cannot send a token.
class Reading {
  text = '';
  ended = false;
  readonly response: IncomingMessage;
  readonly #request: ClientRequest;

  constructor(sent: ClientRequest, response: IncomingMessage) {
    this.#request = sent;
    this.response = response;
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      this.text += text;
    });
    response.on('close', () => {
      this.ended = true;
    });
    response.on('error', () => {});
  }
  get events(): EventMessage[] {
    return [...this.text.matchAll(/^id: (\d+)\ndata: (.*)\n\n/gm)].map(([, id, data = '']) => {
      const message = JSON.parse(data) as EventMessage;
      expect(message.id).toBe(Number(id));
      return message;
    });
  }
  get names(): string[] {
    return this.events.map(({ name }) => name);
  }
  get figures(): number {
    return [...this.text.matchAll(/^event: stats\ndata: (.*)\n\n/gm)].length;
  }
  leave(): void {
    this.#request.destroy();
  }
}

let server: AdminServer | undefined;
afterEach(async () => server?.close());

async function started() {
  const listeners = new Set<EventListener>();
  const view = vi.fn(() => fakeView);
  const source = fakeSource({
    view,
    listen: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  });
  const listen = ipAddress('127.0.0.1', 0);
  if (listen === undefined) throw new Error('no address');
  const dialects = await openDialects(source);
  server = await AdminServer.start({ listen, source, dialects, log });
  const target = targetOf(server.address);
  return {
    view,
    listeners,
    emit: (name: string, detail: Readonly<Record<string, unknown>> = {}) => {
      for (const listener of listeners) listener(name, detail);
    },
    async open(query = '', headers: Record<string, string> = {}, method = 'GET'): Promise<Reading> {
      const path = `/api/v1/events${query}`;
      const sent = request({ ...target, method, path, headers, agent: false });
      sent.on('error', () => {});
      sent.end();
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      return new Reading(sent, response);
    },
  };
}

describe('events', () => {
  it('come as they happen, to all, with ids that count up', async () => {
    const { emit, open } = await started();
    const readers = [await open(), await open()];
    expect(readers[0]?.response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    emit('backend:added', { pool: 'web', backend: '<b>\n\nid: 1' });
    emit('config:applied', { sequence: 2, workers: 2 });
    for (const reader of readers) {
      await until('both came', () => reader.events.length === 2);
      const [first, second] = reader.events;
      expect(first?.detail).toEqual({ pool: 'web', backend: '<b>\n\nid: 1' });
      expect(second?.id).toBe((first?.id ?? 0) + 1);
    }
  });

  it('come again to who comes back, from the last one that was seen', async () => {
    const { emit, open } = await started();
    for (const name of ['a', 'b', 'c']) emit(name);
    const all = await open('?since=0');
    await until('all came', () => all.events.length === 3);
    const [a, b] = all.events;
    all.leave();
    emit('d');
    const back = await open('', { 'last-event-id': String(b?.id) });
    emit('e');
    await until('the rest came', () => back.names.includes('e'));
    expect(back.names).toEqual(['c', 'd', 'e']);
    const asked = await open(`?since=${a?.id}`);
    await until('the rest came', () => asked.events.length === 4);
    const fresh = await open();
    emit('f');
    await until('it came', () => fresh.events.length === 1);
    expect(fresh.names).toEqual(['f']);
  });

  it('are kept for a while; what is no longer kept is said to be missed', async () => {
    const { emit, open } = await started();
    emit('first');
    const early = await open('?since=0');
    await until('it came', () => early.events.length === 1);
    const seen = early.events[0]?.id ?? 0;
    early.leave();
    for (let nth = 0; nth < 1100; nth++) emit(`event ${nth}`);
    const back = await open(`?since=${seen}`);
    await until('all came', () => back.names.at(-1) === 'event 1099');
    expect(back.events).toHaveLength(1025);
    expect(back.events[0]).toMatchObject({ name: 'events:missed', detail: { after: seen } });
    expect(back.events[1]?.name).toBe('event 76');
  });

  it('bring figures each second to those who ask, from one timer for all', async () => {
    const { open, view } = await started();
    const plain = await open();
    const asked = view.mock.calls.length;
    const readers = [await open('?stats=1'), await open('?stats=1')];
    await until('figures came', () => readers.every(({ figures }) => figures >= 2));
    expect(plain.figures).toBe(0);
    const figures = Math.max(...readers.map((reader) => reader.figures));
    // Twice each time: for the times and for the rest; once at first.
    expect(view.mock.calls.length - asked).toBeLessThanOrEqual(2 * figures + 3);
    for (const reader of readers) reader.leave();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const after = view.mock.calls.length;
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(view.mock.calls.length).toBe(after);
  });

  it('stop for a client that does not read, and for no other', async () => {
    const { emit, open } = await started();
    const slow = await open();
    slow.response.pause();
    const quick = await open();
    const big = { text: 'x'.repeat(64 * 1024) };
    for (let nth = 0; nth < 600 && !slow.ended; nth++) {
      emit('big', big);
      if (nth % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    emit('last');
    await until('the other has all', () => quick.text.includes('"last"'), 20_000);
    slow.response.resume();
    await until('the slow one is ended', () => slow.ended);
    expect(slow.names).not.toContain('last');
    expect(quick.ended).toBe(false);
  });

  it('are not sent to who asks for the head alone', async () => {
    const { open, emit } = await started();
    const reader = await open('', {}, 'HEAD');
    expect(reader.response.statusCode).toBe(200);
    await until('it is complete', () => reader.ended);
    emit('a');
    expect(reader.text).toBe('');
  });

  it('may be as many as backends that change at once', async () => {
    const { emit, open } = await started();
    const reader = await open();
    for (let nth = 0; nth < 10_000; nth++)
      emit('backend:added', { pool: 'web', backend: `${nth}` });
    await until('all came', () => reader.text.includes('"9999"'));
    expect(reader.events).toHaveLength(10_000);
  });

  it('end when the server closes, and nobody listens then', async () => {
    const { open, listeners } = await started();
    const reader = await open('?stats=1');
    expect(listeners.size).toBe(1);
    await server?.close();
    await until('it ended', () => reader.ended);
    expect(listeners.size).toBe(0);
  });
});
