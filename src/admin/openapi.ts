// The OpenAPI 3.1 document of the native API, made of the endpoints that are served.
import { z } from 'zod';
import type { AnswerShape, Endpoint } from './endpoint.ts';
import { problemType } from './problem.ts';
import { schemas } from './schemas.ts';

type Json = Readonly<Record<string, unknown>>;

// Named schemas become components, each once.
class Components {
  readonly found = new Map<string, unknown>();

  // `io`: the shape that is sent to us, or by us.
  of(schema: z.ZodType, io: 'input' | 'output'): Json {
    const made = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Record<string, unknown>;
    const { $schema: _, $defs, ...own } = made;
    for (const [name, definition] of Object.entries(($defs ?? {}) as Json)) {
      this.#add(name, definition);
    }
    if (typeof own['id'] !== 'string') return located(own) as Json;
    this.#add(own['id'], own);
    return { $ref: `#/components/schemas/${own['id']}` };
  }

  #add(name: string, definition: unknown): void {
    const { id: _, ...own } = located(definition) as Record<string, unknown>;
    this.found.set(name, own);
  }
}

// References as the document has them.
function located(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(located);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [
      key,
      key === '$ref' && typeof one === 'string'
        ? one.replace('#/$defs/', '#/components/schemas/')
        : located(one),
    ]),
  );
}

function parameters(place: 'path' | 'query', schema: z.ZodObject | undefined, made: Components) {
  if (schema === undefined) return [];
  return Object.entries(schema.shape).map(([name, one]) => ({
    name,
    in: place,
    required: place === 'path' || !(one as z.ZodType).safeParse(undefined).success,
    schema: made.of(one as z.ZodType, 'input'),
  }));
}

const header = (name: string, description: string) => ({
  name,
  in: 'header',
  required: false,
  description,
  schema: { type: 'string' },
});

function answer({ description, schema, type = 'application/json' }: AnswerShape, made: Components) {
  if (schema === undefined) return { description };
  return { description, content: { [type]: { schema: made.of(schema, 'output') } } };
}

function operation(one: Endpoint, made: Components): Json {
  const { method, summary, params, query, body, answers, tagged } = one;
  const conditions =
    tagged === true && method !== 'GET'
      ? [
          header('If-Match', 'Only when the resource, or the configuration, has this ETag.'),
          header('If-None-Match', '`*`: only when there is none yet.'),
        ]
      : [];
  return {
    summary,
    parameters: [
      ...parameters('path', params, made),
      ...parameters('query', query, made),
      ...conditions,
    ],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: made.of(body, 'input') } },
          },
        }),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, shape]) => [status, answer(shape, made)]),
      ),
      default: answer(
        { description: 'What went wrong.', schema: schemas.problem, type: problemType },
        made,
      ),
    },
  };
}

export function openapi(endpoints: readonly Endpoint[], version: string): Json {
  const made = new Components();
  const paths: Record<string, Record<string, Json>> = {};
  for (const one of endpoints) {
    paths[one.path] = {
      ...paths[one.path],
      [one.method.toLowerCase()]: operation(one, made),
    };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'sluice admin API', version },
    security: [{}, { bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: Object.fromEntries([...made.found].sort(([a], [b]) => (a < b ? -1 : 1))),
    },
  };
}
