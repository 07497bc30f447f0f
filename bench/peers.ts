// The contenders: how each is configured and started, and whose CPU time and memory count as its.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { childrenOf, type Started, startPinned, stop, waitForListener } from './process.ts';

export const contenderNames = ['sluice-io_uring', 'sluice-epoll', 'haproxy', 'nginx'] as const;
export type ContenderName = (typeof contenderNames)[number];
export type Engine = 'io_uring' | 'epoll';

export const engineOf = (name: ContenderName): Engine | undefined =>
  name === 'sluice-io_uring' ? 'io_uring' : name === 'sluice-epoll' ? 'epoll' : undefined;

export interface Setup {
  readonly root: string; // of the repository
  readonly directory: string; // for configuration and logs
  readonly cpu: number;
  readonly port: number;
  readonly adminPort: number;
  readonly origins: readonly number[];
  readonly bodies: boolean; // large bodies: HAProxy gets option splice-auto
}

export interface Contender {
  readonly pid: number; // of the process that carries the traffic
  stop(): Promise<void>;
}

export async function startContender(name: ContenderName, setup: Setup): Promise<Contender> {
  const log = join(setup.directory, `${name}.log`);
  writeFileSync(log, '');
  const started = startPinned(setup.cpu, commandOf(name, setup), log);
  try {
    await waitForListener(setup.port, started);
    const engine = engineOf(name);
    if (engine !== undefined) {
      await waitForListener(setup.adminPort, started);
      await assertEngine(setup.adminPort, engine);
    }
    // Whatever a process does just after it has begun to listen is not part of a measurement.
    await sleep(300);
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
      writeFileSync(file, nginxConfig(setup));
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

// With splice-auto every connection may hold a pipe, two more descriptors of the 20,000.
const haproxyConfig = ({ port, origins, bodies }: Setup): string => `global
  nbthread 1
  maxconn ${bodies ? 4500 : 9500}
defaults
  mode tcp
  ${bodies ? 'option splice-auto' : '# bodies are copied'}
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen in
  bind 127.0.0.1:${port}
  balance roundrobin
${origins.map((origin, i) => `  server origin${i} 127.0.0.1:${origin}\n`).join('')}`;

const nginxConfig = ({ port, origins, directory }: Setup): string => `${loadStreamModule()}
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${join(directory, 'nginx.pid')};
error_log ${join(directory, 'nginx-error.log')} error;
events { worker_connections 19900; }
stream {
  access_log off;
  upstream origins {
${origins.map((origin) => `    server 127.0.0.1:${origin} max_fails=0;\n`).join('')}  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    proxy_pass origins;
    proxy_connect_timeout 5s;
    proxy_timeout 1h;
  }
}
`;

const sluiceConfig = ({ port, adminPort, origins }: Setup, engine: Engine): string => `workers: 1
engine: ${engine}
admin: { listen: '127.0.0.1:${adminPort}' }
listeners:
  in: { listen: '127.0.0.1:${port}', mode: tcp, routes: [{ pool: web }] }
pools:
  web:
    strategy: round_robin
    backends: [${origins.map((origin) => `'127.0.0.1:${origin}'`).join(', ')}]
`;

// A comparison of engines is worth nothing when the kernel refused one and the other runs instead.
async function assertEngine(adminPort: number, wanted: Engine): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/metrics`);
  const runs = engineIn(await response.text());
  if (runs !== wanted) throw new Error(`runs on ${runs ?? 'an unknown engine'}, not ${wanted}`);
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

export function missingFor(names: readonly ContenderName[], root: string): Missing {
  const packages: string[] = [];
  if (names.includes('haproxy') && output('haproxy', '-v') === undefined) packages.push('haproxy');
  if (names.includes('nginx') && output('nginx', '-v') === undefined) packages.push('nginx-light');
  if (names.includes('nginx') && streamModule() === undefined) {
    packages.push('libnginx-mod-stream');
  }
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
