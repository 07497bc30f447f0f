// Live words, events and log lines of health, over a fake fleet: checks go to real backends.
import { afterEach, expect, it } from 'vitest';
import { createLogger } from '../../../src/log.ts';
import { EjectionReason, HealthState } from '../../../src/shm/layout.gen.ts';
import { type FakeBalancer, fakeBalancer } from '../../fixtures/fake-core.ts';
import { type HttpOrigin, message, startHttpOrigin } from '../../fixtures/http-origins.ts';
import { pause, until, useScene } from '../../fixtures/scene.ts';

const scene = useScene();
const open: FakeBalancer[] = [];
afterEach(async () => {
  for (const { core } of open.splice(0)) await core.close(0);
});

const check = { interval: '50ms', timeout: '1s', rise: 2, fall: 2 };
const config = (backends: readonly string[], pool: object = { healthCheck: check }) => ({
  listeners: { in: { listen: '127.0.0.1:8080', mode: 'tcp' as const, routes: [{ pool: 'web' }] } },
  pools: { web: { backends: [...backends], drainTimeout: '1s', ...pool } },
});
interface Line {
  readonly level: string;
  readonly message: string;
  readonly backend?: string;
  readonly reason?: string;
}

async function start(first: Parameters<typeof fakeBalancer>[0]) {
  const lines: Line[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Line);
  const log = createLogger({ level: 'info', format: 'json', write });
  const made = await fakeBalancer(first, { log });
  open.push(made);
  return { ...made, lines };
}
const word = ({ fleet }: FakeBalancer, slot = 0) => {
  const value = fleet.get('backendLive', 'health', slot);
  return { incarnation: value >>> 8, state: value & 0xff };
};
async function origin(): Promise<{ one: HttpOrigin; answers: { status: string } }> {
  const answers = { status: '200 OK' };
  const one = await startHttpOrigin(scene, (call) => call.send(message('', '', answers.status)));
  return { one, answers };
}

it('writes the words before the workers run, tells them of verdicts, and says so', async () => {
  const { one, answers } = await origin();
  const lb = await start(config([one.address]));
  expect(word(lb)).toEqual({ incarnation: 1, state: HealthState.checking });
  await until('healthy', () => word(lb).state === HealthState.healthy);
  const live = lb.fleet.liveSequence;
  answers.status = '500 No';
  await until('unhealthy', () => word(lb).state === HealthState.unhealthy);
  await until('told', () => lb.fleet.liveSequence > live);
  expect(lb.events.filter((event) => /up|down/.test(event))).toEqual([
    `backend:up ${one.address}`,
    `backend:down ${one.address}`,
  ]);
  const told = lb.lines.filter(({ message: text }) => text.startsWith('backend is'));
  expect(told.map(({ level, message: text, reason }) => [level, text, reason])).toEqual([
    ['info', 'backend is up', 'status 200'],
    ['warn', 'backend is down', 'status 500'],
  ]);
  expect(lb.pool().backends()[0]).toMatchObject({
    health: 'unhealthy',
    check: { last: { ok: false, result: 'status', reason: 'status 500' } },
  });
});

it('does not write to the slot of a backend that has gone', async () => {
  const { one } = await origin();
  const slow = await startHttpOrigin(scene, async (call) => {
    await pause(100);
    await call.send(message(''));
  });
  const lb = await start(config([slow.address]));
  await until('asked', () => slow.calls.length > 0);
  await lb.apply(config([one.address]));
  await until('healthy', () => word(lb, 1).state === HealthState.healthy);
  await pause(150);
  expect(word(lb).state).toBe(HealthState.checking);
});

it('begins to check when that is configured, and forgets when it is no longer', async () => {
  const { one } = await origin();
  const lb = await start(config([one.address], {}));
  expect(word(lb).state).toBe(HealthState.unknown);
  await lb.apply(config([one.address]));
  expect(word(lb).state).not.toBe(HealthState.unknown);
  await until('healthy', () => word(lb).state === HealthState.healthy);
  await lb.apply(config([one.address], {}));
  expect(word(lb).state).toBe(HealthState.unknown);
  expect(lb.pool().backends()[0]?.check).toBeUndefined();
});

it('tells of ejections, and of their end', async () => {
  const lb = await start(config(['10.0.0.1:80'], { ejection: { maxTime: '60s' } }));
  const { fleet, core } = lb;
  const untilMs = 30_000;
  const eject = (worker: number, total: number): void => {
    fleet.put('workerBackend', 'incarnation', 1, 0, worker);
    fleet.put('workerBackend', 'ejectionReason', EjectionReason.connect, 0, worker);
    const end = Number(process.hrtime.bigint()) + untilMs * 1e6;
    fleet.put('workerBackend', 'ejectedUntil', end, 0, worker);
    fleet.put('workerBackend', 'ejectionsTotal', total, 0, worker);
    fleet.put('worker', 'ejectionsTotal', total, 0, worker);
  };
  const told = (): string[] => lb.events.filter((event) => /ejected|up/.test(event));
  const { ejections } = core.controller;
  ejections.look();
  expect(told()).toEqual([]);
  eject(0, 1);
  ejections.look();
  ejections.look();
  expect(told()).toEqual(['backend:ejected 10.0.0.1:80']);
  const [backend] = lb.pool().backends();
  expect(backend?.health).toBe('ejected');
  expect(backend?.ejection).toMatchObject({ reason: 'connect', workers: 1 });
  const left = (backend?.ejection?.until.getTime() ?? 0) - Date.now();
  expect(Math.abs(left - untilMs)).toBeLessThan(5000);
  eject(1, 1);
  ejections.look();
  expect(lb.pool().backends()[0]?.ejection?.workers).toBe(2);
  fleet.put('workerBackend', 'ejectedUntil', 0, 0, 0);
  ejections.look();
  expect(told()).toHaveLength(2); // the other worker still leaves it alone
  fleet.put('workerBackend', 'ejectedUntil', 0, 0, 1);
  ejections.look();
  ejections.look();
  expect(told().at(-1)).toBe('backend:up 10.0.0.1:80');
  expect(told()).toHaveLength(3);
  expect(lb.lines.filter(({ message: text }) => text === 'backend ejected')).toHaveLength(2);
  expect(lb.pool().backends()[0]?.health).toBe('unknown');
});
