// The machine a result belongs to, and the surroundings it is measured in.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release } from 'node:os';

const marker = 'SLUICE_BENCH_RELAUNCHED';
const stack = '/proc/sys/net/ipv4';

export const balancerCpu = 0;
export const loadCpu = Math.min(1, availableParallelism() - 1);

const read = (file: string): string => {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '?';
  }
};

// One line, with the load average first: a figure taken beside other work is noise.
export function machineNote(): string {
  const namespace = process.env[marker] === 'private' ? 'private network' : "the host's network";
  return [
    `load average ${read('/proc/loadavg').split(' ').slice(0, 3).join(' ')}`,
    `${cpus().length} CPUs (${cpus()[0]?.model.trim() ?? '?'})`,
    `Linux ${release()}`,
    `Node ${process.version}`,
    `${namespace}, ${read(`${stack}/tcp_congestion_control`)}`,
    new Date().toISOString(),
  ].join('; ');
}

// Runs this program again where it measures better, and resolves to its exit status; to undefined
// when this is that run already, or when there is nothing to gain or no right to it.
//
// A network namespace of its own lets it choose the plain congestion control (bbr would pace the
// loopback) and few TIME_WAIT entries, whose timers would otherwise expire a minute later in the
// middle of another contender's round. A session of its own can be put before other work: the
// scheduler shares the CPU between sessions first, by the niceness of each.
export async function relaunch(wanted: {
  namespace: boolean;
  priority: boolean;
}): Promise<number | undefined> {
  const relaunched = process.env[marker];
  if (relaunched !== undefined) {
    if (relaunched === 'private') prepareNamespace();
    if (wanted.priority) writeFileSync('/proc/self/autogroup', '-20');
    return undefined;
  }
  const isolate = wanted.namespace && spawnSync('unshare', ['--net', 'true']).status === 0;
  if (!isolate && !wanted.priority) return undefined;
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const [program = '', ...args] = isolate ? ['unshare', '--net', ...command] : command;
  const child = spawn(program, args, {
    stdio: 'inherit',
    detached: wanted.priority, // begins a session
    env: { ...process.env, [marker]: isolate ? 'private' : 'host' },
  });
  // The child stops its own children; a signal to this process has to reach it.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.once('error', () => resolve(1));
    child.once('close', (code) => resolve(code ?? 1));
  });
}

function prepareNamespace(): void {
  const loopback = spawnSync('ip', ['link', 'set', 'lo', 'up']);
  if (loopback.status !== 0) throw new Error('cannot bring up the loopback of the namespace');
  for (const [name, value] of [
    ['tcp_congestion_control', 'reno'],
    ['tcp_max_tw_buckets', '4096'],
    ['ip_local_port_range', '20000 65000'],
  ] as const) {
    writeFileSync(`${stack}/${name}`, value);
  }
}
