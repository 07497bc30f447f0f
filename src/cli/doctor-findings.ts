// What the facts mean for a balancer, and what to do about it. Pure.
import { automaticWorkers, defaultMaxConnections, filesFor } from '../config/workers.ts';
import { remedyOf } from '../control/remedy.ts';
import { limits } from '../model/limits.ts';
import type { Facts } from './doctor-facts.ts';
import { bytesText } from './units.ts';

export interface Finding {
  readonly check: string;
  // `warn`: it works, but not as well as it could. `fail`: something that is wanted does not work.
  readonly status: 'ok' | 'warn' | 'fail';
  readonly found: string;
  // What follows from it; absent when all is well.
  readonly means?: string;
  // The line that changes it.
  readonly fix?: string;
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

export function workersOf({ model, processors, cpuQuota }: Facts): number {
  const stated = model?.settings.workers;
  return stated ?? automaticWorkers(processors.length, cpuQuota, limits.workersMax);
}

function engine({ engine: tried, kernel, model }: Facts): Finding {
  const check = 'io_uring';
  if (tried.engine === 'none') {
    const means = 'no worker of the data plane starts: nothing can be balanced';
    const fix = 'reinstall sluice, or build it with `npm run compile`';
    return { check, status: 'fail', found: `${tried.error ?? 'nothing runs'}`, means, fix };
  }
  if (tried.engine === 'io_uring') {
    return { check, status: 'ok', found: `works, on Linux ${kernel}` };
  }
  const { cause, remedy } = remedyOf(tried.fallback, tried.errno);
  const demanded = model?.settings.engine === 'io_uring';
  return {
    check,
    status: demanded ? 'fail' : 'warn',
    found: `not available: ${cause}`,
    means: demanded
      ? 'the configuration demands io_uring, so nothing starts'
      : 'epoll carries the same traffic at a higher cost',
    fix: remedy,
  };
}

// Below this the default is not what people expect of a balancer.
const fewConnections = 4096;

function openFiles(facts: Facts): Finding {
  const { openFiles: limit, model } = facts;
  const check = 'open files';
  const workers = workersOf(facts);
  const fit = defaultMaxConnections(workers, limit);
  const wanted = model?.settings.maxConnections;
  const found = Number.isFinite(limit) ? `limit ${limit}` : 'no limit';
  const raise = (files: number): string =>
    `ulimit -n ${files}, LimitNOFILE=${files} (systemd), --ulimit nofile=${files} (docker)`;
  if (wanted !== undefined && wanted > fit) {
    return {
      check,
      status: 'fail',
      found,
      means: `maxConnections is ${wanted}, and ${plural(fit, 'connection')} fit`,
      fix: raise(filesFor(workers, wanted)),
    };
  }
  if (wanted === undefined && fit < fewConnections) {
    const means = `at most ${plural(fit, 'connection')} at one time; the others are closed`;
    return { check, status: 'warn', found, means, fix: raise(1_048_576) };
  }
  return { check, status: 'ok', found: `${found}, enough for ${wanted ?? fit} connections` };
}

function processors(facts: Facts): Finding {
  const { processors: allowed, machineProcessors, cpuQuota } = facts;
  const check = 'processors';
  const workers = workersOf(facts);
  const mask = `${allowed.length} of ${machineProcessors}`;
  const quota = cpuQuota === undefined ? '' : `, a quota of ${cpuQuota} of the cgroup`;
  const found = `${mask} allowed${quota}: ${plural(workers, 'worker')}`;
  if (workers > allowed.length) {
    const means = `${plural(workers, 'worker')} share ${plural(allowed.length, 'processor')}`;
    const fix = `workers: auto, or a wider mask: taskset, CPUAffinity= (systemd), --cpuset-cpus`;
    return { check, status: 'warn', found, means, fix };
  }
  if (cpuQuota !== undefined && workers > Math.ceil(cpuQuota)) {
    const means = 'the kernel stops all workers when the quota of a period is used up: latency';
    const fix = `workers: ${Math.max(1, Math.ceil(cpuQuota))}, or CPUQuota=${workers * 100}%`;
    return { check, status: 'warn', found, means, fix };
  }
  if (cpuQuota !== undefined && cpuQuota < 1) {
    const means = 'the kernel stops the worker when the quota of a period is used up: latency';
    return {
      check,
      status: 'warn',
      found,
      means,
      fix: 'CPUQuota=100% (systemd), --cpus 1 (docker)',
    };
  }
  return { check, status: 'ok', found };
}

// Node itself; and of a worker: its buffers and pipes when all of them are in use.
const processBytes = 128 * 2 ** 20;
const workerBytes = 96 * 2 ** 20;

function memory(facts: Facts): Finding {
  const { memoryBytes, machineBytes } = facts;
  const check = 'memory';
  const workers = workersOf(facts);
  const wanted = processBytes + workers * workerBytes;
  const limit = Math.min(memoryBytes ?? machineBytes, machineBytes);
  const whose = memoryBytes === undefined ? 'of the machine' : 'of the cgroup';
  const found = `${bytesText(limit)} ${whose}`;
  if (limit >= wanted) return { check, status: 'ok', found };
  const means = `${plural(workers, 'worker')} under full load may need ${bytesText(wanted)}`;
  const megabytes = Math.ceil(wanted / 2 ** 20);
  const fix = `fewer workers, MemoryMax=${megabytes}M (systemd), --memory ${megabytes}m (docker)`;
  return { check, status: 'warn', found, means, fix };
}

function lowPorts({ mayBindLowPorts, portsFrom, model }: Facts): Finding {
  const check = 'ports';
  if (mayBindLowPorts) return { check, status: 'ok', found: 'every port may be listened on' };
  const listeners = [...(model?.listeners.values() ?? [])].filter(
    ({ target }) =>
      target.kind === 'address' &&
      target.address.kind !== 'unix' &&
      target.address.port > 0 &&
      target.address.port < portsFrom,
  );
  const found = `ports below ${portsFrom} need CAP_NET_BIND_SERVICE, which is missing`;
  if (model !== undefined && listeners.length === 0) {
    return { check, status: 'ok', found: `no listener is on a port below ${portsFrom}` };
  }
  const names = listeners.map(({ name, targetText }) => `${name} (${targetText})`).join(', ');
  return {
    check,
    status: model === undefined ? 'warn' : 'fail',
    found,
    means: model === undefined ? 'such ports cannot be listened on' : `${names} cannot listen`,
    fix:
      'AmbientCapabilities=CAP_NET_BIND_SERVICE (systemd), ' +
      `sysctl -w net.ipv4.ip_unprivileged_port_start=80, or sockets that are handed over (fd:3)`,
  };
}

function docker({ docker: { endpoint, isStated, state, reason } }: Facts): Finding {
  const check = 'docker';
  if (state === 'answers') return { check, status: 'ok', found: `${endpoint} answers: ${reason}` };
  if (state === 'absent' && !isStated) {
    return { check, status: 'ok', found: `there is no engine at ${endpoint}` };
  }
  const found = `${endpoint}: ${reason}`;
  const means = 'containers cannot be found';
  if (state === 'refused') {
    const fix = 'usermod -aG docker USER, SupplementaryGroups=docker (systemd), or run as root';
    return { check, status: isStated ? 'fail' : 'warn', found, means, fix };
  }
  const fix = isStated ? 'set DOCKER_HOST to where the engine listens' : 'systemctl start docker';
  return { check, status: isStated ? 'fail' : 'warn', found, means, fix };
}

function admin({ admin: { address, isStated, state, reason, health } }: Facts): Finding {
  const check = 'admin';
  if (state === 'answers' && health !== undefined) {
    const found = `sluice ${health.version} answers at ${address}: ${health.status}`;
    if (health.status === 'healthy') return { check, status: 'ok', found };
    const means = health.reasons.join('; ');
    return { check, status: 'fail', found, means, fix: '`sluice status` shows more' };
  }
  if (state === 'unreachable' && !isStated) {
    return { check, status: 'ok', found: `no sluice runs at ${address}` };
  }
  const fix =
    state === 'refused'
      ? 'state the token by --token or SLUICE_TOKEN'
      : 'start it, or say by --admin or SLUICE_ADMIN where it answers';
  return { check, status: 'fail', found: reason, means: 'commands cannot reach it', fix };
}

export const findingsOf = (facts: Facts): Finding[] =>
  [engine, openFiles, processors, memory, lowPorts, docker, admin].map((judge) => judge(facts));
