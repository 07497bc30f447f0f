// How a balancer is made: its parts are built and connected here.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadAddon } from './addon/binding.ts';
import { openFleet } from './addon/fleet.ts';
import type { DialectOptions } from './admin/dialects.ts';
import { emitter, LoadBalancer } from './balancer.ts';
import type { Config } from './config/schema.ts';
import {
  automaticWorkers,
  cgroupQuota,
  defaultMaxConnections,
  openFilesLimit,
} from './config/workers.ts';
import { Core } from './control/core.ts';
import { until } from './control/waiting.ts';
import { createLogger, type Logger } from './log.ts';
import { stuckAfterMs } from './metrics/health.ts';
import { build } from './model/build.ts';
import { limits } from './model/limits.ts';
import type { Backend, Desired, Model } from './model/types.ts';
import { DockerProvider } from './providers/docker.ts';
import { FileProvider } from './providers/file.ts';
import { type Duration, desiredFrom, type Lookup, timeoutFrom } from './providers/inputs.ts';
import { merge } from './providers/merge.ts';
import { Names } from './providers/names.ts';
import { StatedProvider } from './providers/stated.ts';

// A configuration in a file, which `reload` reads again. With `watch: true` in it, or put there by
// `adjust`, changes of the file are taken over by themselves.
export interface ConfigFile {
  readonly file: string;
  // Settings that win over the file's.
  readonly adjust?: (config: Config) => Config;
}

export interface Options {
  // Ends the start when it is aborted; later it has no effect.
  readonly signal?: AbortSignal | undefined;
  // Otherwise records of `logLevel` and above go to stderr.
  readonly logger?: Logger | undefined;
  // How long a worker may take to follow a change; default 2 s.
  readonly ackTimeout?: Duration | undefined;
  // Of the dialects `/server` and `/api/routes` of the admin API.
  readonly dialects?: DialectOptions | undefined;
}

const version = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  }
).version;

function fileOf(
  source: Config | ConfigFile | string | URL,
  lookup: Lookup,
): FileProvider | undefined {
  if (typeof source === 'string') return new FileProvider(source, { lookup });
  if (source instanceof URL) return new FileProvider(fileURLToPath(source), { lookup });
  if (!('file' in source)) return undefined;
  const { file, adjust } = source;
  return new FileProvider(file, adjust === undefined ? { lookup } : { adjust, lookup });
}

function modelOf(desired: Desired<Backend>, file: FileProvider | undefined): Model {
  try {
    return build(merge([desired]).model);
  } catch (error) {
    throw file?.located(error) ?? error;
  }
}

// Starts a balancer and resolves when every worker takes traffic. `source`: a configuration, or the
// file that holds one. Throws ERR_SLUICE_CONFIG with everything that is wrong, ERR_SLUICE_LISTEN,
// ERR_SLUICE_PLATFORM, ERR_SLUICE_ADDON_NOT_FOUND, ERR_SLUICE_START; then nothing runs.
export async function createLoadBalancer(
  source: Config | ConfigFile | string | URL,
  { signal, logger, ackTimeout = 2000, dialects = {} }: Options = {},
): Promise<LoadBalancer> {
  const names = new Names();
  const { lookup } = names;
  const file = fileOf(source, lookup);
  const loading = file?.load() ?? desiredFrom(source as Config, 'config', lookup);
  const desired = await until(loading, signal);
  const { settings } = modelOf(desired, file);
  signal?.throwIfAborted();
  const addon = loadAddon();
  const processors = addon.processors();
  const workers =
    settings.workers ?? automaticWorkers(processors.length, cgroupQuota(), limits.workersMax);
  // Each worker has a processor of the affinity mask. Where to begin depends on the process, so
  // that several small balancers on a host do not all share its first processor.
  const cpuOf = (worker: number): number =>
    processors[(process.pid + worker) % processors.length] ?? -1;
  const cpus = Array.from({ length: workers }, (_, worker) => cpuOf(worker));
  const fleet = openFleet(addon, workers);
  const log = logger ?? createLogger({ level: settings.logLevel });
  let started: LoadBalancer | undefined;
  const docker = new DockerProvider({
    log,
    mappings: { images: () => started?.overrides.images() ?? [] },
  });
  await docker.configure(settings.docker);
  const stated = { servers: new StatedProvider('servers'), domains: new StatedProvider('domains') };
  const make = (lb: LoadBalancer): Core =>
    new Core({
      fleet,
      engine: settings.engine,
      cpus,
      maxConnections: defaultMaxConnections(workers, openFilesLimit()),
      provider: file ?? new StatedProvider('config'),
      names,
      watchers: [docker],
      stated: Object.values(stated),
      emit: emitter(lb),
      log,
      ackTimeoutMs: timeoutFrom(ackTimeout),
      stuckAfterMs,
      version,
    });
  started = new LoadBalancer(make, { file, docker, stated });
  return LoadBalancer.start(started, desired, dialects, signal);
}
