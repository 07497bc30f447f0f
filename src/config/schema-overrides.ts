// The shape of what is changed at run time and of the document that keeps it.
import { z } from 'zod';
import { parseListenTarget } from './address.ts';
import { backendSchema, pool } from './schema.ts';
import { listener, route } from './schema-listener.ts';
import { count, name } from './schema-parts.ts';

const listenText = z
  .string()
  .refine((text) => parseListenTarget(/^\d+$/.test(text) ? `:${text}` : text) !== undefined, {
    error: "expected a port, or an address like '127.0.0.1:8080'",
  });

export const routeOverride = route.extend({ listener: z.string().min(1) });

export const imageMapping = z.strictObject({
  image: z.string().min(1, { error: "expected an image like 'nginx' or 'nginx:1.27'" }),
  listen: listenText,
  port: count('Port inside the containers.', 1, 65_535),
});

const poolChanges = z.strictObject({
  added: z.array(backendSchema),
  removed: z.array(z.string()),
  weights: z.record(z.string(), count('Weight.', 0, 65_535)),
  drained: z.array(z.string()),
});

export const overridesSchema = z.strictObject({
  version: z.literal(1, { error: 'expected 1, the version this program writes' }),
  listeners: z.record(name, listener),
  pools: z.record(name, pool),
  routes: z.record(z.string(), routeOverride),
  backends: z.record(z.string(), poolChanges),
  images: z.array(imageMapping),
});

export type OverridesConfig = z.input<typeof overridesSchema>;
export type RouteOverrideConfig = z.input<typeof routeOverride>;
export type ImageMappingConfig = z.input<typeof imageMapping>;
