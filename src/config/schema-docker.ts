// The part of a configuration that says which container engine is watched, and how.
import { z } from 'zod';
import type { DockerSettings } from '../model/types.ts';
import { endpointExpected, parseEndpoint } from './endpoint.ts';
import { placeExpected, placeOf } from './place.ts';
import { count } from './schema-parts.ts';

const place = z
  .union([z.string(), z.int().min(0).max(65_535)], { error: `expected ${placeExpected}` })
  .refine((text) => 'on' in placeOf(String(text)), { error: `expected ${placeExpected}` });

const path = (what: string) =>
  z
    .string({ error: `expected the path of a PEM file` })
    .min(1, { error: 'expected the path of a PEM file' })
    .describe(what);

const image = z
  .string({ error: "expected an image like 'nginx:alpine'" })
  .regex(/^[a-z0-9][\w.:/@-]*$/i, { error: "expected an image like 'nginx:alpine'" })
  .describe('By its name, with a tag or for all of them.');

const docker = z.strictObject(
  {
    endpoint: z
      .string({ error: `expected ${endpointExpected}` })
      .refine((text) => parseEndpoint(text) !== undefined, {
        error: `expected ${endpointExpected}`,
      })
      .describe('Default: DOCKER_HOST, or unix:///var/run/docker.sock.')
      .optional(),
    exposedByDefault: z
      .boolean({ error: 'expected true or false' })
      .describe('Containers without sluice.enable are balanced too.')
      .meta({ default: false })
      .optional(),
    network: z
      .string({ error: 'expected the name of a network' })
      .min(1, { error: 'expected the name of a network' })
      .describe('By which containers in several networks are reached.')
      .optional(),
    listen: place
      .describe('Where containers without sluice.listen are reached.')
      .meta({ default: ':80' })
      .optional(),
    images: z
      .array(
        z.strictObject({
          image,
          listen: place.describe('A port, or host:port, to be opened for them.'),
          port: count("The containers' port.", 1, 65_535),
        }),
        { error: "expected a list like [{ image: 'nginx:alpine', listen: 80, port: 80 }]" },
      )
      .describe('Containers of these images are balanced, whatever their labels.')
      .optional(),
    tls: z
      .strictObject({
        ca: path('Who signs the engine. Default: the authorities of Node.').optional(),
        cert: path('With the key: who this client is.').optional(),
        key: path('Of the certificate.').optional(),
      })
      .describe('Of an engine at tcp://, in place of DOCKER_TLS_VERIFY and DOCKER_CERT_PATH.')
      .optional(),
  },
  { error: 'expected { endpoint, … }; {} for what is usual' },
);

export const providers = z
  .strictObject({
    docker: docker
      .describe('Watches the containers of a Docker engine; {}: with what is usual.')
      .optional(),
  })
  .describe('Where containers and their like are found.');

export type ProvidersConfig = z.input<typeof providers>;

export const listenDefault = ':80';

export function dockerOf(config: ProvidersConfig | undefined): DockerSettings | undefined {
  const stated = config?.docker;
  if (stated === undefined) return undefined;
  const { endpoint, tls, exposedByDefault, network, listen, images } = stated;
  return {
    endpoint,
    tls,
    exposedByDefault: exposedByDefault ?? false,
    network,
    listen: String(listen ?? listenDefault),
    images: (images ?? []).map((mapping) => ({ ...mapping, listen: String(mapping.listen) })),
  };
}
