import { describe, expect, it, vi } from 'vitest';
import {
  noServiceManager,
  notifier,
  serviceManager,
  watchdogInterval,
} from '../../../src/cli/service-manager.ts';
import { createLogger } from '../../../src/log.ts';

function given(watchdogMs?: number) {
  const sent: string[] = [];
  const logged: string[] = [];
  const log = createLogger({ format: 'json', write: (line) => void logged.push(line) });
  let failure: Error | undefined;
  const send = (text: string): void => {
    if (failure !== undefined) throw failure;
    sent.push(text);
  };
  const manager = notifier({ send, log, watchdogMs, monotonic: () => 1_234_567_890n });
  const fail = (error: Error): void => {
    failure = error;
  };
  return { sent, logged, manager, fail };
}

describe('watchdogInterval', () => {
  it.each([
    [{}, undefined],
    [{ WATCHDOG_USEC: '10000000' }, 5000],
    [{ WATCHDOG_USEC: '10000000', WATCHDOG_PID: '7' }, 5000],
    [{ WATCHDOG_USEC: '10000000', WATCHDOG_PID: '8' }, undefined],
    [{ WATCHDOG_USEC: 'soon' }, undefined],
    [{ WATCHDOG_USEC: '0' }, undefined],
    [{ WATCHDOG_USEC: '100' }, 1],
  ])('of %j is %s', (env, wanted) => expect(watchdogInterval(env, 7)).toBe(wanted));
});

describe('the service manager', () => {
  it('is told each state, with a status of one line', () => {
    const { sent, manager } = given();
    manager.ready('serves\n  all');
    manager.reloading();
    manager.stopping('ends');
    expect(sent).toEqual([
      'READY=1\nSTATUS=serves all',
      'RELOADING=1\nMONOTONIC_USEC=1234567',
      'STOPPING=1\nSTATUS=ends',
    ]);
  });

  it('hears of life while there is some, until the end', () => {
    vi.useFakeTimers();
    try {
      const { sent, manager } = given(100);
      let alive = true;
      manager.watch(() => alive);
      expect(sent).toHaveLength(1);
      vi.advanceTimersByTime(300);
      expect(sent).toEqual(Array(4).fill('WATCHDOG=1'));
      alive = false;
      vi.advanceTimersByTime(300);
      expect(sent).toHaveLength(4);
      alive = true;
      vi.advanceTimersByTime(100);
      expect(sent).toHaveLength(5);
      manager.end();
      vi.advanceTimersByTime(300);
      expect(sent).toHaveLength(5);
    } finally {
      vi.useRealTimers();
    }
  });

  it('that does not listen is logged, and nothing ends', () => {
    const { manager, fail, logged } = given();
    fail(new Error('ENOENT'));
    manager.ready('serves');
    expect(logged.map((line) => JSON.parse(line))).toMatchObject([
      { level: 'warn', state: 'READY=1', error: { message: 'ENOENT' } },
    ]);
  });

  it('is none without NOTIFY_SOCKET', () => {
    const log = createLogger({ level: 'silent' });
    expect(serviceManager(log, {})).toBe(noServiceManager);
    expect(serviceManager(log, { NOTIFY_SOCKET: '' })).toBe(noServiceManager);
  });
});
