import { expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { SluiceError } from '../../../src/errors.ts';

const settings = (pool: object) =>
  parseConfig({ listeners: {}, pools: { web: pool } }, 'file').pools.get('web')?.settings;

function complaint(pool: object): string {
  try {
    settings(pool);
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    return error.issues.map(({ path, expected }) => `${path}: ${expected}`).join('; ');
  }
  throw new Error('it was accepted');
}

it('checks nobody and ejects who fails, unless told otherwise', () => {
  expect(settings({})?.healthCheck).toBeUndefined();
  expect(settings({})?.ejection).toEqual({ failures: 5, baseMs: 1000, maxMs: 60_000 });
  expect(settings({ ejection: {} })?.ejection).toEqual(settings({})?.ejection);
  expect(settings({ ejection: false })?.ejection.failures).toBe(0);
});

it('has defaults for every part of a check', () => {
  expect(settings({ healthCheck: {} })?.healthCheck).toEqual({
    type: 'http',
    path: '/health',
    host: undefined,
    statuses: [[200, 200]],
    port: undefined,
    intervalMs: 5000,
    timeoutMs: 2000,
    rise: 2,
    fall: 3,
  });
  expect(
    settings({
      healthCheck: { path: '/up?x=1', host: 'a:80', statuses: [204, '300-399'], interval: '1s' },
    })?.healthCheck,
  ).toMatchObject({
    path: '/up?x=1',
    host: 'a:80',
    statuses: [
      [204, 204],
      [300, 399],
    ],
    intervalMs: 1000,
  });
});

it('lets a base longer than the default maximum be the maximum', () => {
  const { ejection } = settings({ ejection: { baseTime: '2m' } }) ?? {};
  expect(ejection).toMatchObject({ baseMs: 120_000, maxMs: 120_000 });
});

it.each([
  [{ path: 'health' }, "path: a path like '/health', of visible ASCII"],
  [{ path: '/a b' }, "path: a path like '/health', of visible ASCII"],
  [{ path: '/a\r\nX: y' }, "path: a path like '/health', of visible ASCII"],
  [{ host: 'a\r\nX: y' }, "host: a host like 'www.example.com'"],
  [{ statuses: [] }, 'statuses: at least one status'],
  [{ statuses: [99] }, "statuses[0]: a status from 100 to 599, or a range like '200-399'"],
  [{ statuses: ['399-200'] }, "statuses[0]: a status from 100 to 599, or a range like '200-399'"],
  [{ interval: '1ms' }, 'interval: at least 10ms'],
  [{ rise: 0 }, 'rise: a whole number from 1 to 1000'],
  [{ port: 0 }, 'port: a whole number from 1 to 65535'],
  [{ type: 'udp' }, "type: one of 'http', 'tcp'"],
  [{ type: 'tcp', path: '/x' }, "path: 'path' only of http"],
  [{ typ: 'tcp' }, 'typ: a known key'],
])('refuses the check %j', (healthCheck, says) => {
  expect(complaint({ healthCheck })).toBe(`pools.web.healthCheck.${says}`);
});

it.each([
  [true, ': false, or { failures, baseTime, maxTime }'],
  [{ failures: 0 }, '.failures: a whole number from 1 to 1000'],
  [{ maxTime: '10ms' }, '.maxTime: at least baseTime, which is 1s'],
])('refuses the ejection %j', (ejection, says) => {
  expect(complaint({ ejection })).toBe(`pools.web.ejection${says}`);
});
