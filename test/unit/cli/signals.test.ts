import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { untilSignalled } from '../../../src/cli/signals.ts';

function given() {
  const source = new EventEmitter();
  const closed: string[] = [];
  const exits: number[] = [];
  let reloads = 0;
  let reopened = 0;
  let finish: (error?: Error) => void = () => {};
  const running = {
    close: (signal: string) =>
      new Promise<void>((resolve, reject) => {
        closed.push(signal);
        finish = (error) => (error === undefined ? resolve() : reject(error));
      }),
    reload: async () => {
      reloads++;
    },
    reopenLogs: async () => {
      reopened++;
    },
  };
  const ended = untilSignalled(running, (code) => void exits.push(code), source);
  return {
    source,
    ended,
    closed,
    exits,
    finish: (error?: Error) => finish(error),
    get reloads() {
      return reloads;
    },
    get reopened() {
      return reopened;
    },
  };
}

describe('signals', () => {
  it.each(['SIGTERM', 'SIGINT'])('%s closes, and the end of that is success', async (signal) => {
    const { source, ended, closed, exits, finish } = given();
    source.emit(signal);
    expect(closed).toEqual([signal]);
    finish();
    expect(await ended).toBe(0);
    expect(exits).toEqual([]);
  });

  it('a second one exits at once, by its own number', () => {
    const { source, closed, exits } = given();
    source.emit('SIGTERM');
    source.emit('SIGINT');
    source.emit('SIGTERM');
    expect(closed).toEqual(['SIGTERM']);
    expect(exits).toEqual([130, 143]);
  });

  it('SIGHUP reads again, but not while closing', () => {
    const all = given();
    all.source.emit('SIGHUP');
    all.source.emit('SIGHUP');
    expect(all.reloads).toBe(2);
    all.source.emit('SIGTERM');
    all.source.emit('SIGHUP');
    expect(all.reloads).toBe(2);
  });

  it('SIGUSR1 opens the logs again, also while closing', () => {
    const all = given();
    all.source.emit('SIGUSR1');
    all.source.emit('SIGTERM');
    all.source.emit('SIGUSR1');
    expect(all.reopened).toBe(2);
  });

  it('a close that fails is a failure', async () => {
    const { source, ended, finish } = given();
    source.emit('SIGTERM');
    finish(new Error('on purpose'));
    await expect(ended).rejects.toThrow('on purpose');
  });
});
