import { z } from 'zod';
import { configSchema } from './schema.ts';

// The JSON Schema of a configuration, for editors and other tools.
export function jsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' }) as Record<
    string,
    unknown
  >;
}
