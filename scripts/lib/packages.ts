// The Debian packages that the tests need beyond what building needs.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { capture, Failure, run, which } from './run.ts';

export const testPackages = [
  'g++',
  'make',
  'python3',
  'doctest-dev', // native tests
  'clang-format', // npm run check
  'haproxy', // bench: what sluice is compared with
  'nginx', // the same
  'libnginx-mod-stream', // its balancing of TCP
  'wrk', // bench: load of one row; real clients of HTTP
  'prometheus', // promtool checks /metrics
  'curl', // real clients of HTTP
  'nghttp2-client', // the same: h2load
  'chromium-headless-shell', // the same: a browser, without what draws windows
  'systemd', // systemd-analyze checks the unit file
  'iproute2', // bench: the loopback of its network namespace
  'docker.io', // discovery: a real engine, in namespaces of its own
  'iptables', // the same: its networks
  'openssl', // the same: certificates of an engine that wants TLS
];

function isInstalled(name: string): boolean {
  const { stdout } = capture('dpkg-query', ['-W', '-f=${db:Status-Status}', name]);
  return stdout === 'installed';
}

// Installing a server must not start it: Debian asks this program first.
const policy = '/usr/sbin/policy-rc.d';

export function installPackages(): void {
  if (which('dpkg-query') === undefined) {
    console.warn(`not Debian: the tests need what its packages ${testPackages.join(' ')} bring`);
    return;
  }
  const names = testPackages.filter((name) => !isInstalled(name));
  if (names.length === 0) return;
  const list = names.join(' ');
  if (process.getuid?.() !== 0) {
    throw new Failure(`missing: sudo apt-get install --no-install-recommends ${list}`);
  }
  console.log(`installing ${list}`);
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  try {
    run('apt-get', ['update', '-qq'], { env });
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], { env });
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}
