// The shape of `accessLog`, and what it means.
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import type { AccessLogSettings } from '../model/types.ts';
import { oneOf } from './schema-parts.ts';

const pathExpected = "expected 'stdout' or an absolute path";

export const accessLog = z
  .strictObject(
    {
      format: oneOf(['json', 'combined'], 'Of the lines.').meta({ default: 'json' }).optional(),
      path: z
        .string({ error: pathExpected })
        .refine((text) => text === 'stdout' || (isAbsolute(text) && !text.includes('\0')), {
          error: pathExpected,
        })
        .describe('A file that is made if need be, or stdout.')
        .meta({ default: 'stdout' })
        .optional(),
    },
    { error: ({ code }) => (code === 'invalid_type' ? 'expected { format, path }' : undefined) },
  )
  .describe('One line for each HTTP request. Without it nothing is logged.');

export const accessLogOf = (
  stated: z.input<typeof accessLog> | undefined,
): AccessLogSettings | undefined =>
  stated && { format: stated.format ?? 'json', path: stated.path ?? 'stdout' };
