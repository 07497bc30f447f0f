import { expect, it } from 'vitest';
import { jsonSchema } from '../../../src/config/json-schema.ts';

it('describes what people write', () => {
  const schema = jsonSchema() as {
    $schema: string;
    additionalProperties: boolean;
    properties: Record<string, { enum?: string[]; description?: string }>;
  };
  expect(schema.$schema).toContain('2020-12');
  expect(schema.additionalProperties).toBe(false);
  expect(schema.properties['engine']?.enum).toEqual(['auto', 'io_uring', 'epoll']);
  expect(JSON.stringify(schema)).toContain('"pattern"');
});
