// What the schemas of a configuration are made of.
import { z } from 'zod';
import {
  durationExpected,
  durationPattern,
  parseDuration,
  parseSize,
  sizeExpected,
  sizePattern,
} from './units.ts';

export const duration = (help: string, zero = false) =>
  z
    .string({ error: `expected ${durationExpected}` })
    .refine((text) => (parseDuration(text) ?? -1) >= (zero ? 0 : 1), {
      error: `expected ${durationExpected}${zero ? '' : ', more than 0'}`,
    })
    .meta({ pattern: durationPattern, description: help, examples: ['5s'] });

export const count = (help: string, min: number, max: number) => {
  const error = `expected a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error }).describe(help);
};

export const oneOf = <const T extends readonly [string, ...string[]]>(values: T, help: string) =>
  z
    .enum(values, { error: `expected one of ${values.map((value) => `'${value}'`).join(', ')}` })
    .describe(help);

// Bounds as people write them.
export const size = (help: string, min: string, max: string) =>
  z
    .string({ error: `expected ${sizeExpected}` })
    .refine((text) => parseSize(text) !== undefined, {
      error: `expected ${sizeExpected}`,
      abort: true,
    })
    .refine(
      (text) => {
        const bytes = parseSize(text) ?? 0;
        return bytes >= (parseSize(min) ?? 0) && bytes <= (parseSize(max) ?? 0);
      },
      { error: `expected a size from ${min} to ${max}` },
    )
    .meta({ pattern: sizePattern, description: help, examples: [max] });

export const name = z
  .string()
  .regex(/^[A-Za-z0-9][\w.-]{0,62}$/, { error: 'expected a name of letters, digits, _ . and -' });

export const connections = (help: string, min: number) => count(help, min, 16_777_216);
