// What a container asks for by its labels, and by mappings of its image. Pure: facts in, intents or
// a reason out. A mistake concerns its container alone.
import { ipAddress } from '../config/address.ts';
import { type ListenPlace, placeAt, placeExpected, placeOf } from '../config/place.ts';
import { type Parsed, parseHost, parsePathPrefix } from '../config/route.ts';
import { durationExpected, durationMaxMs, parseDuration } from '../config/units.ts';
import type { Strategy } from '../model/types.ts';
import type { Container } from './docker-facts.ts';
import { isOfImage } from './docker-images.ts';
import type { ImageMapping } from './overrides.ts';

// One wish: these hosts and this path, at this place, go to this port of the container.
export interface Intent {
  readonly place: ListenPlace;
  // Empty text: every host.
  readonly hosts: readonly string[];
  readonly pathPrefix: string;
  readonly port: number;
  readonly weight: number;
  readonly network: string | undefined;
  readonly strategy: Strategy;
  readonly healthPath: string | undefined;
  readonly drainTimeoutMs: number | undefined;
}

export type Wish =
  | { readonly kind: 'intents'; readonly intents: readonly Intent[] }
  // Nobody asked for it.
  | { readonly kind: 'ignored'; readonly reason: string }
  // Somebody asked, and made mistakes: all of them in one text.
  | { readonly kind: 'skipped'; readonly reason: string };

export interface Rules {
  readonly exposedByDefault: boolean;
  // Where containers are reached that do not say.
  readonly listen: string;
  readonly images: readonly ImageMapping[];
}

const known = {
  sluice: [
    'enable',
    'host',
    'path',
    'port',
    'listen',
    'weight',
    'network',
    'health.path',
    'drain.timeout',
  ],
  lb: ['enable', 'publish', 'target', 'dst_addr', 'ssl'],
} as const;
type Dialect = keyof typeof known;

// As containers have them.
export const labelNames: readonly string[] = Object.entries(known).flatMap(([dialect, names]) =>
  names.map((name) => `${dialect}.${name}`),
);

// Stands for a place that could not be read: the container is skipped.
const nowhere = placeAt({ kind: 'descriptors', descriptors: [] });

const yes = /^(?:true|yes|y|1|on)$/i;
const no = /^(?:false|no|n|0|off|)$/i;

// Reads the labels of one dialect and collects what is wrong with them.
class Labels {
  readonly problems: string[] = [];
  readonly #container: Container;
  readonly #dialect: Dialect;

  constructor(container: Container, dialect: Dialect) {
    this.#container = container;
    this.#dialect = dialect;
  }

  get(key: string): string | undefined {
    return this.#container.labels.get(`${this.#dialect}.${key}`)?.trim();
  }
  wrong(key: string, expected: string): undefined {
    const value = this.get(key);
    const found = value === undefined ? '' : `, found '${value}'`;
    this.problems.push(`label ${this.#dialect}.${key}: expected ${expected}${found}`);
    return undefined;
  }
  // What `parse` makes of a label that is there.
  read<T>(key: string, expected: string, parse: (text: string) => T | undefined): T | undefined {
    const text = this.get(key);
    if (text === undefined) return undefined;
    return parse(text) ?? this.wrong(key, expected);
  }
  port(key: string): number | undefined {
    return this.read(key, 'a port from 1 to 65535', (text) => {
      const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
      return port >= 1 && port <= 65_535 ? port : undefined;
    });
  }
  // undefined: not said.
  enabled(): boolean | undefined {
    const read = this.read('enable', "'true' or 'false'", (text) => {
      if (yes.test(text)) return 'yes';
      return no.test(text) ? 'no' : undefined;
    });
    return read === undefined ? undefined : read === 'yes';
  }
  // Labels that mean nothing are mistakes of writing.
  unknown(): void {
    const names: readonly string[] = known[this.#dialect];
    const prefix = `${this.#dialect}.`;
    for (const label of this.#container.labels.keys()) {
      if (!label.startsWith(prefix) || names.includes(label.slice(prefix.length))) continue;
      this.problems.push(`label ${label} is unknown; there is ${names.join(', ')}`);
    }
  }
  any(): boolean {
    return [...this.#container.labels.keys()].some((key) => key.startsWith(`${this.#dialect}.`));
  }
}

function taken(labels: Labels, key: string, parsed: Parsed): string {
  if ('value' in parsed) return parsed.value;
  labels.wrong(key, parsed.expected);
  return '';
}

function hostsOf(labels: Labels): string[] {
  const stated = labels.get('host');
  if (stated === undefined || stated === '') return [''];
  const hosts = stated.split(',').map((host) => taken(labels, 'host', parseHost(host.trim())));
  return [...new Set(hosts)];
}

function exposedPort(container: Container, labels: Labels): number {
  const [only, ...others] = container.exposed;
  if (only !== undefined && others.length === 0) return only;
  const found =
    only === undefined ? 'exposes no TCP port' : `exposes ${container.exposed.join(', ')}`;
  labels.problems.push(`label sluice.port is missing, and the container ${found}`);
  return 0;
}

function ownIntent(container: Container, labels: Labels, rules: Rules): Intent {
  const place = placeOf(labels.get('listen') ?? rules.listen);
  const usable = 'expected' in place ? labels.wrong('listen', place.expected) : place;
  const path = labels.get('path');
  const hasPort = labels.get('port') !== undefined;
  const port = labels.port('port') ?? (hasPort ? 0 : exposedPort(container, labels));
  return {
    place: usable ?? nowhere,
    hosts: hostsOf(labels),
    pathPrefix: path === undefined ? '' : taken(labels, 'path', parsePathPrefix(path)),
    port,
    weight:
      labels.read('weight', 'a whole number from 0 to 65535', (text) =>
        /^[0-9]{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined,
      ) ?? 1,
    network: labels.read('network', 'the name of a network', (text) => text || undefined),
    strategy: 'round_robin',
    healthPath: labels.read('health.path', "a path like '/health'", (text) =>
      /^\/[\x21-\x7e]*$/.test(text) ? text : undefined,
    ),
    drainTimeoutMs: labels.read('drain.timeout', durationExpected, (text) => {
      const ms = parseDuration(text);
      return ms !== undefined && ms <= durationMaxMs ? ms : undefined;
    }),
  };
}

// The dialect of docker-loadbalancer: one port for everybody, whatever the host.
function lbIntent(labels: Labels): Intent {
  const publish = labels.port('publish');
  if (labels.get('publish') === undefined) labels.wrong('publish', 'the port to listen on');
  const target = labels.port('target');
  if (labels.get('target') === undefined) labels.wrong('target', "the container's port");
  if (labels.get('ssl') !== undefined) {
    labels.problems.push('label lb.ssl: TLS is not supported yet; without it the port is plain');
  }
  const address = labels.read('dst_addr', 'an IP address to listen on', (text) =>
    text === '' ? undefined : ipAddress(text, publish ?? 1),
  );
  const everywhere = address === undefined;
  const any = ipAddress('0.0.0.0', publish ?? 1);
  const listen = address ?? any;
  return {
    place:
      listen === undefined ? nowhere : placeAt({ kind: 'address', address: listen, everywhere }),
    hosts: [''],
    pathPrefix: '',
    port: target ?? 0,
    weight: 1,
    network: undefined,
    // What that load balancer does.
    strategy: 'least_connections',
    healthPath: undefined,
    drainTimeoutMs: undefined,
  };
}

function imageIntents(container: Container, labels: Labels, images: Rules['images']): Intent[] {
  return images
    .filter(({ image }) => isOfImage(container, image))
    .flatMap(({ image, listen, port }) => {
      const place = placeOf(listen);
      if ('expected' in place) {
        labels.problems.push(`mapping of image ${image}: expected ${placeExpected}`);
        return [];
      }
      const network = labels.get('network') || undefined;
      const rest = { weight: 1, network, healthPath: undefined, drainTimeoutMs: undefined };
      const strategy = 'round_robin' as const;
      return [{ place, hosts: [''], pathPrefix: '', port, strategy, ...rest }];
    });
}

const notAsked = (own: Labels, lb: Labels): string => {
  if (own.any()) return 'it has sluice labels, but not sluice.enable=true';
  return lb.any() ? 'it has lb labels, but not lb.enable=Y' : 'nothing asks for it';
};

export function wishOf(container: Container, rules: Rules): Wish {
  const own = new Labels(container, 'sluice');
  const lb = new Labels(container, 'lb');
  const intents: Intent[] = [];
  const enabled = own.enabled();
  const lbEnabled = lb.enabled() === true;
  if (enabled === false) return { kind: 'ignored', reason: 'label sluice.enable says no' };
  const mapped = imageIntents(container, own, rules.images);
  intents.push(...mapped);
  // With no word of its own a container that another way asks for is not exposed once more.
  if (enabled || (rules.exposedByDefault && !lbEnabled && mapped.length === 0)) {
    own.unknown();
    intents.push(ownIntent(container, own, rules));
  }
  if (lbEnabled) {
    lb.unknown();
    intents.push(lbIntent(lb));
  }
  const problems = [...own.problems, ...lb.problems];
  if (problems.length > 0) return { kind: 'skipped', reason: problems.join('; ') };
  if (intents.length === 0) return { kind: 'ignored', reason: notAsked(own, lb) };
  return { kind: 'intents', intents };
}
