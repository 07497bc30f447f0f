// The provider that states what the containers of a Docker engine ask for.
import { readFileSync } from 'node:fs';
import {
  type Endpoint,
  type Environment,
  endpointExpected,
  endpointOf,
} from '../config/endpoint.ts';
import { SluiceError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Backend, Desired, DockerSettings, Flag } from '../model/types.ts';
import { type ImageMappings, mappingsOf } from './docker-images.ts';
import { ownContainerId } from './docker-network.ts';
import { newsBetween } from './docker-news.ts';
import { type ContainerStatus, originOf, stateOf } from './docker-state.ts';
import { DockerWatch, type WatchFigures } from './docker-watch.ts';
import type { ImageMapping } from './overrides.ts';
import { nothing, type Watcher } from './provider.ts';

export type { ImageMappings } from './docker-images.ts';
export type { ContainerStatus } from './docker-state.ts';

export interface DockerStatus extends WatchFigures {
  readonly endpoint: string;
  readonly containers: readonly ContainerStatus[];
}

export interface DockerOptions {
  readonly log: Logger;
  // Mappings made at run time.
  readonly mappings: ImageMappings;
  readonly env?: Environment;
}

// The same with what the other providers' statements left of the containers' wishes.
export function withFlags(status: DockerStatus, flags: readonly Flag[]): DockerStatus {
  const reasons = new Map<string, string[]>();
  for (const { source, origin, what, reason } of flags) {
    if (source !== 'docker') continue;
    reasons.set(origin, [...(reasons.get(origin) ?? []), `${what}: ${reason}`]);
  }
  const containers = status.containers.map((container) => {
    const found = reasons.get(originOf(container));
    if (found === undefined) return container;
    const own = container.reason === undefined ? [] : [container.reason];
    // One route of several may be refused: the others are balanced.
    const balanced = container.state === 'balanced' && found.length < container.routes.length;
    const state = container.state === 'balanced' && !balanced ? 'skipped' : container.state;
    return { ...container, state, reason: [...own, ...found].join('; ') };
  });
  return { ...status, containers };
}

const isLocal = (host: string): boolean => /^(?:localhost|127\.|::1$)/.test(host);

function ownId(): string | undefined {
  try {
    return ownContainerId(readFileSync('/proc/self/mountinfo', 'utf8'));
  } catch {
    return undefined;
  }
}

export class DockerProvider implements Watcher {
  readonly source = 'docker';
  readonly #options: DockerOptions;
  readonly #ownId = ownId();
  #settings: DockerSettings | undefined;
  #endpoint: Endpoint | undefined;
  #watch: DockerWatch | undefined;
  #changed: (() => void) | undefined;
  #state: Desired<Backend> = nothing('docker');
  #statuses: readonly ContainerStatus[] = [];

  constructor(options: DockerOptions) {
    this.#options = options;
  }

  state(): Desired<Backend> {
    return this.#state;
  }
  // undefined while no engine is watched.
  status(): DockerStatus | undefined {
    const watch = this.#watch;
    const endpoint = this.#endpoint?.text;
    if (watch === undefined || endpoint === undefined) return undefined;
    return { ...watch.figures, endpoint, containers: this.#statuses };
  }

  // Throws ERR_SLUICE_ARGUMENT when the environment has to name the engine and does not name one.
  check(settings: DockerSettings | undefined): void {
    if (settings !== undefined) this.#endpointFor(settings);
  }
  // What the configuration says; undefined: no engine is to be watched. Throws as `check` does.
  async configure(settings: DockerSettings | undefined): Promise<void> {
    const before = this.#settings;
    if (JSON.stringify(before) === JSON.stringify(settings)) return;
    const endpoint = settings === undefined ? undefined : this.#endpointFor(settings);
    this.#settings = settings;
    this.#endpoint = endpoint;
    const sameEngine =
      before !== undefined &&
      settings !== undefined &&
      before.endpoint === settings.endpoint &&
      JSON.stringify(before.tls) === JSON.stringify(settings.tls);
    if (!sameEngine) {
      const former = this.#watch;
      this.#watch = undefined;
      await former?.stop();
      if (this.#changed !== undefined) this.#begin();
    }
    this.#restate();
  }

  start(changed: () => void): void {
    this.#changed = changed;
    this.#begin();
  }
  async stop(): Promise<void> {
    this.#changed = undefined;
    await this.#watch?.stop();
  }

  overridden(): void {
    this.#restate();
  }
  // Of the configuration, and of run time.
  images(): readonly ImageMapping[] {
    return mappingsOf(this.#settings?.images ?? [], this.#options.mappings.images());
  }

  // The configuration's endpoint has been checked; what the environment says is checked here.
  #endpointFor({ endpoint, tls }: DockerSettings): Endpoint {
    const env = this.#options.env ?? process.env;
    const found = endpointOf(endpoint, tls, env);
    if (found !== undefined) return found;
    const value = JSON.stringify(env['DOCKER_HOST'] ?? '');
    const details = { argument: 'DOCKER_HOST', value, expected: endpointExpected };
    throw new SluiceError('ERR_SLUICE_ARGUMENT', details);
  }

  #begin(): void {
    const endpoint = this.#endpoint;
    if (endpoint === undefined || this.#watch !== undefined) return;
    const { log } = this.#options;
    this.#watch = new DockerWatch({
      endpoint,
      log,
      changed: () => this.#restate(),
    });
    this.#watch.start();
  }

  #restate(): void {
    const { log } = this.#options;
    const settings = this.#settings;
    const watch = this.#watch;
    const where = this.#endpoint?.where;
    const before = this.#statuses;
    const stated = this.#state;
    if (settings === undefined || watch === undefined || where === undefined) {
      this.#state = nothing(this.source);
      this.#statuses = [];
    } else {
      // Until an engine has answered, what the former one said stays.
      if (watch.figures.lastSyncMs === undefined) return;
      const containers = watch.containers();
      const engineHost = where.kind === 'tcp' && !isLocal(where.host) ? where.host : undefined;
      const self = containers.find(({ id }) => id === this.#ownId);
      const { exposedByDefault, listen, network } = settings;
      const made = stateOf(
        {
          containers,
          rules: { exposedByDefault, listen, images: this.images() },
          surroundings: { self, engineHost, network },
          leaving: (id) => watch.leaving.reason(id),
        },
        this.#state,
      );
      this.#state = made.desired;
      this.#statuses = made.statuses;
    }
    for (const { level, message, fields } of newsBetween(before, this.#statuses)) {
      log[level](message, fields);
    }
    if (this.#state !== stated) this.#changed?.();
  }
}
