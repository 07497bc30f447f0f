// The contenders: how each is started, and whose CPU time and memory count as its.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  accessLogOf,
  type Engine,
  haproxyConfig,
  nginxConfig,
  type Setup,
  sluiceConfig,
} from './peer-configs.ts';
import { childrenOf, type Started, startPinned, stop, waitForListener } from './process.ts';

export const contenderNames = ['sluice-io_uring', 'sluice-epoll', 'haproxy', 'nginx'] as const;
export type ContenderName = (typeof contenderNames)[number];
export type { Engine };

export const engineOf = (name: ContenderName): Engine | undefined =>
  name === 'sluice-io_uring' ? 'io_uring' : name === 'sluice-epoll' ? 'epoll' : undefined;

export interface Contender {
  readonly pid: number; // of the process that carries the traffic
  stop(): Promise<void>;
}

export async function startContender(name: ContenderName, setup: Setup): Promise<Contender> {
  const log = join(setup.directory, `${name}.log`);
  writeFileSync(log, '');
  const command = commandOf(name, setup);
  // HAProxy writes no files: its standard output is one.
  const toFile = setup.logs && name === 'haproxy';
  const words = toFile ? ['sh', '-c', 'exec "$@" > "$0"', accessLogOf(setup), ...command] : command;
  const started = startPinned(setup.cpu, words, log);
  try {
    await waitForListener(setup.port, started);
    const engine = engineOf(name);
    if (engine !== undefined) {
      await waitForListener(setup.adminPort, started);
      await assertEngine(setup.adminPort, engine);
    }
    // Whatever a process does just after it has begun to listen is not part of a measurement.
    await sleep(setup.settleMs);
    return { pid: trafficPid(name, started), stop: () => stop(started) };
  } catch (error) {
    await stop(started);
    const tail = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-5).join('\n    ');
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${name}: ${reason}\n    ${tail}`);
  }
}

function commandOf(name: ContenderName, setup: Setup): string[] {
  const file = join(setup.directory, `${name}.conf`);
  switch (name) {
    case 'haproxy':
      writeFileSync(file, haproxyConfig(setup));
      return ['haproxy', '-db', '-f', file];
    case 'nginx':
      writeFileSync(file, nginxConfig(setup, loadStreamModule()));
      return ['nginx', '-e', join(setup.directory, 'nginx-error.log'), '-c', file];
    case 'sluice-io_uring':
    case 'sluice-epoll':
      writeFileSync(file, sluiceConfig(setup, engineOf(name) ?? 'epoll'));
      return [process.execPath, join(setup.root, 'dist/main.js'), 'run', '-c', file];
  }
}

// nginx's master only supervises; its worker carries the traffic.
function trafficPid(name: ContenderName, { pid }: Started): number {
  if (name !== 'nginx') return pid;
  const [worker] = childrenOf(pid);
  if (worker === undefined) throw new Error('no worker process');
  return worker;
}

// A comparison of engines is worth nothing when the kernel refused one and the other runs instead.
async function assertEngine(adminPort: number, wanted: Engine): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/metrics`);
  const runs = engineIn(await response.text());
  if (runs !== wanted) throw new Error(`runs on ${runs ?? 'an unknown engine'}, not ${wanted}`);
}

// Nanoseconds of CPU that sluice's one worker has used for each request since it was started.
export async function workerCost(pid: number, adminPort: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/metrics`);
  const found = /^sluice_listener_requests_total\{.*\} (\d+)$/m.exec(await response.text());
  const requests = Number(found?.[1]);
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${task}`;
    if (readFileSync(`${folder}/comm`, 'utf8').trim() !== 'sluice-0') continue;
    return Number(readFileSync(`${folder}/schedstat`, 'utf8').split(' ')[0]) / requests;
  }
  throw new Error('sluice has no worker');
}

// The engine named by a label of a metric whose value is not 0.
export function engineIn(metrics: string): Engine | undefined {
  for (const line of metrics.split('\n')) {
    const match = /^sluice_\w+\{.*engine="(io_uring|epoll)".*\}\s+(\S+)/.exec(line);
    if (match !== null && Number(match[2]) !== 0) return match[1] as Engine;
  }
  return undefined;
}

const output = (command: string, ...args: string[]): string | undefined => {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  return status === 0 ? stdout + stderr : undefined;
};

function streamModule(): 'built in' | string | undefined {
  const build = output('nginx', '-V');
  if (build === undefined) return undefined;
  if (/--with-stream(\s|$)/.test(build)) return 'built in';
  const folder = /--modules-path=(\S+)/.exec(build)?.[1] ?? '/usr/lib/nginx/modules';
  const file = join(folder, 'ngx_stream_module.so');
  return existsSync(file) ? file : undefined;
}

const loadStreamModule = (): string => {
  const module = streamModule();
  return module === 'built in' ? '' : `load_module ${module};`;
};

export interface Missing {
  readonly packages: readonly string[]; // of Debian
  readonly build: boolean; // sluice itself
}

export function missingFor(names: readonly ContenderName[], wrk: boolean, root: string): Missing {
  const packages: string[] = [];
  if (names.includes('haproxy') && output('haproxy', '-v') === undefined) packages.push('haproxy');
  if (names.includes('nginx') && output('nginx', '-v') === undefined) packages.push('nginx-light');
  if (names.includes('nginx') && streamModule() === undefined) {
    packages.push('libnginx-mod-stream');
  }
  // wrk prints its version with its usage, and exits with 1.
  if (wrk && spawnSync('wrk', ['-v']).error !== undefined) packages.push('wrk');
  const build =
    names.some((name) => engineOf(name) !== undefined) && !existsSync(join(root, 'dist/main.js'));
  return { packages, build };
}

export function versionOf(name: ContenderName, root: string): string {
  if (engineOf(name) !== undefined) {
    const manifest: unknown = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    return String((manifest as { version?: unknown }).version);
  }
  return /\d+\.\d+[^\s]*/.exec(output(name, '-v') ?? '')?.[0] ?? 'unknown';
}
