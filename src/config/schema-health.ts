// The shape of what a pool says of its backends' health.
import { z } from 'zod';
import { count, duration, oneOf } from './schema-parts.ts';
import { parseDuration } from './units.ts';

// Visible characters: the path goes into a request line as it is.
const pathRule = /^\/[\x21-\x7e]{0,2047}$/;
const hostRule = /^[A-Za-z0-9._\-[\]:]{1,260}$/;
const rangeRule = /^([1-5][0-9]{2})-([1-5][0-9]{2})$/;
const pathExpected = "a path like '/health', of visible ASCII";
const hostExpected = "a host like 'www.example.com'";
export const statusExpected = "a status from 100 to 599, or a range like '200-399'";

export function parseStatuses(stated: number | string): readonly [number, number] | undefined {
  if (typeof stated === 'number') return [stated, stated];
  const found = rangeRule.exec(stated);
  const [first, last] = [Number(found?.[1]), Number(found?.[2])];
  return found !== null && first <= last ? [first, last] : undefined;
}

const status = z.union(
  [
    z
      .int()
      .min(100, { error: `expected ${statusExpected}` })
      .max(599, {
        error: `expected ${statusExpected}`,
      }),
    z.string().refine((text) => parseStatuses(text) !== undefined, {
      error: `expected ${statusExpected}`,
    }),
  ],
  { error: `expected ${statusExpected}` },
);

const intervalLeastMs = 10;
const ofHttp = ['path', 'host', 'statuses'] as const;

export const healthCheck = z
  .strictObject({
    type: oneOf(['http', 'tcp'], 'tcp only connects.').meta({ default: 'http' }).optional(),
    path: z
      .string({ error: `expected ${pathExpected}` })
      .regex(pathRule, { error: `expected ${pathExpected}` })
      .describe('Of http.')
      .meta({ default: '/health' })
      .optional(),
    host: z
      .string({ error: `expected ${hostExpected}` })
      .regex(hostRule, { error: `expected ${hostExpected}` })
      .describe('The Host field, of http. Default: the address of the backend.')
      .optional(),
    statuses: z
      .array(status, { error: `expected a list of ${statusExpected}` })
      .min(1, { error: 'expected at least one status' })
      .max(32)
      .describe('That mean healthy, of http: statuses, or ranges like 200-399.')
      .meta({ default: [200] })
      .optional(),
    port: count('In place of the backend’s own.', 1, 65_535).optional(),
    interval: duration('From one check to the next.')
      .meta({ default: '5s' })
      .refine((text) => (parseDuration(text) ?? intervalLeastMs) >= intervalLeastMs, {
        error: `expected at least ${intervalLeastMs}ms`,
      })
      .optional(),
    timeout: duration('For a whole check.').meta({ default: '2s' }).optional(),
    rise: count('Successes until an unhealthy backend is healthy.', 1, 1000)
      .meta({ default: 2 })
      .optional(),
    fall: count('Failures until a backend is unhealthy.', 1, 1000).meta({ default: 3 }).optional(),
  })
  .superRefine((check, context) => {
    if (check.type !== 'tcp') return;
    for (const key of ofHttp) {
      if (check[key] === undefined) continue;
      context.addIssue({ code: 'custom', path: [key], message: `expected '${key}' only of http` });
    }
  })
  .describe('Asks the backends how they are. Without it nobody asks.');

const ejectionExpected = 'false, or { failures, baseTime, maxTime }';

export const ejection = z
  .union(
    [
      z.literal(false),
      z
        .strictObject({
          failures: count('In a row, that eject a backend.', 1, 1000)
            .meta({ default: 5 })
            .optional(),
          baseTime: duration('Of the first ejection.').meta({ default: '1s' }).optional(),
          maxTime: duration('Of the longest.').meta({ default: '60s' }).optional(),
        })
        .superRefine(({ baseTime, maxTime }, context) => {
          if (maxTime === undefined) return;
          const least = baseTime ?? '1s';
          if ((parseDuration(maxTime) ?? 0) >= (parseDuration(least) ?? 0)) return;
          const message = `expected at least baseTime, which is ${least}`;
          context.addIssue({ code: 'custom', path: ['maxTime'], message });
        }),
    ],
    {
      error: ({ code }) => (code === 'invalid_union' ? `expected ${ejectionExpected}` : undefined),
    },
  )
  .describe('Backends that refuse connections, or fail in a row, rest for a while; false: never.');

export type HealthCheckConfig = z.input<typeof healthCheck>;
export type EjectionConfig = z.input<typeof ejection>;
