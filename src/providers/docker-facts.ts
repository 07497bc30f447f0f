// What is used of a container: the answer of `GET /containers/{id}/json`, made small and safe.
// Pure.
import { constants } from 'node:os';

export type ContainerHealth = 'none' | 'starting' | 'healthy' | 'unhealthy';

export interface ContainerNetwork {
  readonly name: string;
  // Empty while the container has none there.
  readonly address: string;
}

export interface Container {
  readonly id: string;
  readonly name: string;
  // As `docker run` was told, and what it stood for then.
  readonly image: string;
  readonly imageId: string;
  readonly labels: ReadonlyMap<string, string>;
  // `running`, `paused`, `restarting`, `exited`, … in the engine's words.
  readonly status: string;
  readonly health: ContainerHealth;
  // TCP ports that the image or `--expose` names, ascending.
  readonly exposed: readonly number[];
  readonly networks: readonly ContainerNetwork[];
  // `bridge`, `host`, `none`, `container:ID`, or a network's name.
  readonly networkMode: string;
  // What `docker stop` sends, and how long it waits before KILL.
  readonly stopSignal: number;
  readonly stopTimeoutMs: number;
  // ISO 8601: older containers sort before younger ones.
  readonly createdAt: string;
}

type Json = Readonly<Record<string, unknown>>;

const object = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {};
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

// Linux' first real-time signal, as C libraries offer it.
const realTimeFirst = 34;

// `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`; undefined for what is no signal.
export function signalOf(value: string): number | undefined {
  if (/^[0-9]{1,2}$/.test(value)) return Number(value);
  const name = value.toUpperCase().replace(/^SIG/, '');
  const realTime = /^RTMIN(?:\+([0-9]{1,2}))?$/.exec(name);
  if (realTime !== null) return realTimeFirst + Number(realTime[1] ?? 0);
  return (constants.signals as Readonly<Record<string, number>>)[`SIG${name}`];
}

const ending = new Set(['TERM', 'INT', 'QUIT', 'KILL'].map(signalOf));

// Whether a container that is sent this signal is meant to end.
export function endsContainer(signal: string, container: Container | undefined): boolean {
  const number = signalOf(signal);
  return number !== undefined && (ending.has(number) || number === container?.stopSignal);
}

function healthOf(state: Json): ContainerHealth {
  const status = text(object(state['Health'])['Status']);
  return status === 'starting' || status === 'healthy' || status === 'unhealthy' ? status : 'none';
}

function exposedOf(ports: Json): number[] {
  const numbers = Object.keys(ports).flatMap((key) => {
    const found = /^([0-9]{1,5})\/tcp$/.exec(key);
    return found === null ? [] : [Number(found[1])];
  });
  return numbers.sort((a, b) => a - b);
}

function networksOf(networks: Json): ContainerNetwork[] {
  const all = Object.entries(networks).map(([name, value]) => {
    const { IPAddress, GlobalIPv6Address } = object(value);
    return { name, address: text(IPAddress) || text(GlobalIPv6Address) };
  });
  return all.sort((a, b) => (a.name < b.name ? -1 : 1));
}

const stopTimeoutDefaultSeconds = 10;

// undefined for an answer that describes no container.
export function containerOf(answer: unknown): Container | undefined {
  const inspected = object(answer);
  const id = text(inspected['Id']);
  if (id === '') return undefined;
  const config = object(inspected['Config']);
  const state = object(inspected['State']);
  const labels = Object.entries(object(config['Labels'])).map(
    ([key, value]) => [key, text(value)] as const,
  );
  const stopTimeout = config['StopTimeout'];
  return {
    id,
    name: text(inspected['Name']).replace(/^\//, '') || id.slice(0, 12),
    image: text(config['Image']),
    imageId: text(inspected['Image']),
    labels: new Map(labels),
    status: text(state['Status']) || 'unknown',
    health: healthOf(state),
    exposed: exposedOf(object(config['ExposedPorts'])),
    networks: networksOf(object(object(inspected['NetworkSettings'])['Networks'])),
    networkMode: text(object(inspected['HostConfig'])['NetworkMode']),
    stopSignal: signalOf(text(config['StopSignal'])) ?? constants.signals.SIGTERM,
    stopTimeoutMs:
      1000 * (typeof stopTimeout === 'number' ? stopTimeout : stopTimeoutDefaultSeconds),
    createdAt: text(inspected['Created']),
  };
}
