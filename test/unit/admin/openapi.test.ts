import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, it } from 'vitest';
import { apiDocument } from '../../../src/admin/endpoints.ts';

const document = apiDocument('1.0.0');

it('is a valid OpenAPI document', async () => {
  const { valid, errors } = await new Validator().validate(JSON.parse(JSON.stringify(document)));
  expect(errors).toBeUndefined();
  expect(valid).toBe(true);
});

it('refers to components that exist', () => {
  const { components } = document as { components: { schemas: Record<string, unknown> } };
  const text = JSON.stringify(document);
  const referred = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);
  expect(referred.length).toBeGreaterThan(20);
  for (const name of referred) expect(components.schemas).toHaveProperty(String(name));
});
