// What `sluice doctor` looks at: this process, its system, and a balancer that runs.
import { request } from 'node:http';
import { cpus, release, totalmem } from 'node:os';
import { loadAddon } from '../addon/binding.ts';
import { openFleet } from '../addon/fleet.ts';
import type { HealthAnswer } from '../admin/api-types.ts';
import { cgroupMemory, cgroupQuota, openFilesLimit, readSystemFile } from '../config/workers.ts';
import { reasonOf } from '../errors.ts';
import type { Model } from '../model/types.ts';
import type { EngineFallback, EngineKind } from '../shm/layout.gen.ts';
import { Reader } from '../shm/read.ts';
import { Region } from '../shm/region.ts';
import { AdminClient, type AdminOptions, UnreachableError } from './admin-client.ts';

export interface EngineFacts {
  // What `engine: auto` takes; `none` when no worker can run at all.
  readonly engine: EngineKind;
  readonly fallback: EngineFallback;
  readonly errno: number;
  // Why the addon or its threads do not start.
  readonly error?: string;
}

export interface DockerFacts {
  // As in DOCKER_HOST.
  readonly endpoint: string;
  readonly isStated: boolean;
  // `absent`: there is no socket. `other`: something answers, but not as an engine does.
  readonly state: 'answers' | 'absent' | 'refused' | 'unreachable' | 'other';
  readonly reason: string;
}

export interface AdminFacts {
  readonly address: string;
  readonly isStated: boolean;
  readonly state: 'answers' | 'unreachable' | 'refused';
  readonly reason: string;
  readonly health?: HealthAnswer;
}

export interface Facts {
  readonly kernel: string;
  readonly engine: EngineFacts;
  // Of the affinity mask, and of the machine.
  readonly processors: readonly number[];
  readonly machineProcessors: number;
  // Of the cgroups; undefined: none.
  readonly cpuQuota: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly machineBytes: number;
  readonly openFiles: number;
  readonly mayBindLowPorts: boolean;
  // The first port that needs no capability.
  readonly portsFrom: number;
  readonly docker: DockerFacts;
  readonly admin: AdminFacts;
  // Of the file that was named.
  readonly model: Model | undefined;
}

const startBoundMs = 5000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

// Starts a worker of the data plane on nothing, as `engine: auto` would, and ends it.
async function tryEngine(): Promise<EngineFacts> {
  let fleet: ReturnType<typeof openFleet>;
  try {
    fleet = openFleet(loadAddon(), 1);
  } catch (error) {
    return { engine: 'none', fallback: 'none', errno: 0, error: reasonOf(error) };
  }
  const region = new Region(fleet.region, fleet.areas);
  const reader = new Reader(region);
  try {
    fleet.start({ engine: 'auto', connectionsMax: 1024, cpus: [-1] });
    const end = performance.now() + startBoundMs;
    while (reader.worker(0).state === 'starting' && performance.now() < end) await pause(2);
    const { state, engine, engineFallback, engineError } = reader.worker(0);
    const facts = { engine, fallback: engineFallback, errno: engineError };
    return state === 'running' ? facts : { ...facts, engine: 'none', error: `it is ${state}` };
  } catch (error) {
    return { engine: 'none', fallback: 'none', errno: 0, error: reasonOf(error) };
  } finally {
    region.close();
    fleet.stop(startBoundMs);
  }
}

function processorsOf(): number[] {
  try {
    return loadAddon().processors();
  } catch {
    return [];
  }
}

// CAP_NET_BIND_SERVICE among the effective capabilities.
function mayBindLowPorts(): boolean {
  const found = /^CapEff:\s*([0-9a-f]+)/m.exec(readSystemFile('/proc/self/status') ?? '');
  return found !== null && (BigInt(`0x${found[1]}`) & (1n << 10n)) !== 0n;
}

const dockerDefault = 'unix:///var/run/docker.sock';

function dockerState(error: NodeJS.ErrnoException): DockerFacts['state'] {
  if (error.code === 'ENOENT') return 'absent';
  return error.code === 'EACCES' || error.code === 'EPERM' ? 'refused' : 'unreachable';
}

// `GET /_ping` of the engine's API.
function askDocker(env: NodeJS.ProcessEnv): Promise<DockerFacts> {
  const stated = env['DOCKER_HOST'];
  const endpoint = stated || dockerDefault;
  const facts = { endpoint, isStated: Boolean(stated) };
  const socket = /^unix:\/\/(\/.*)$/.exec(endpoint)?.[1];
  const tcp = /^(?:tcp|http):\/\/\[?([^/\]]+?)\]?:(\d+)\/?$/.exec(endpoint);
  const where =
    socket === undefined
      ? tcp && { host: tcp[1] ?? '', port: Number(tcp[2]) }
      : { socketPath: socket };
  if (where === null) {
    const reason = 'only unix:// and tcp:// without TLS are tried here';
    return Promise.resolve({ ...facts, state: 'other', reason });
  }
  return new Promise((resolve) => {
    const end = (state: DockerFacts['state'], reason: string): void =>
      resolve({ ...facts, state, reason });
    const asked = request({ ...where, path: '/_ping', agent: false, timeout: 2000 }, (answer) => {
      answer.resume();
      const { statusCode = 0, headers } = answer;
      if (statusCode !== 200) return end('other', `it answered ${statusCode}`);
      end('answers', `API version ${headers['api-version'] ?? 'unknown'}`);
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer within 2 s')));
    asked.on('error', (error) => end(dockerState(error), reasonOf(error)));
    asked.end();
  });
}

async function askAdmin(options: AdminOptions): Promise<AdminFacts> {
  const client = new AdminClient(options);
  const facts = { address: client.address, isStated: options.admin !== undefined };
  try {
    const { status, body } = await client.reply('GET', '/health', undefined, 3000);
    if (status !== 200 && status !== 503) {
      return { ...facts, state: 'refused', reason: `it answered ${status}` };
    }
    return { ...facts, state: 'answers', reason: '', health: JSON.parse(body) as HealthAnswer };
  } catch (error) {
    const state = error instanceof UnreachableError ? 'unreachable' : 'refused';
    return { ...facts, state, reason: reasonOf(error) };
  }
}

export async function readFacts(
  model: Model | undefined,
  options: AdminOptions,
  env = process.env,
): Promise<Facts> {
  const [engine, docker, admin] = await Promise.all([
    tryEngine(),
    askDocker(env),
    askAdmin(options),
  ]);
  return {
    kernel: release(),
    engine,
    processors: processorsOf(),
    machineProcessors: cpus().length,
    cpuQuota: cgroupQuota(),
    memoryBytes: cgroupMemory(),
    machineBytes: totalmem(),
    openFiles: openFilesLimit(),
    mayBindLowPorts: mayBindLowPorts(),
    portsFrom: Number(readSystemFile('/proc/sys/net/ipv4/ip_unprivileged_port_start') ?? 1024),
    docker,
    admin,
    model,
  };
}
