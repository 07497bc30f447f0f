// `sluice demo`: three backends that answer their name, and a balancer in front of them.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Config, LoadBalancer } from '../index.ts';
import { UsageError } from './failure.ts';
import { logFormatOf, type Overrides, withOverrides } from './overrides.ts';
import { serve } from './serve.ts';

const names = ['red', 'green', 'blue'] as const;

export interface DemoBackend {
  readonly name: string;
  readonly address: string;
  readonly server: Server;
}

async function startBackend(name: string): Promise<DemoBackend> {
  const server = createServer((request, response) => {
    request.resume();
    response.setHeader('content-type', 'text/plain');
    response.end(`hello from ${name}\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { name, address: `127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

function banner(url: string, backends: readonly DemoBackend[], lb: LoadBalancer): string {
  const { engine, workers } = lb.stats();
  const how = `by ${workers.length} worker(s) on ${engine}`;
  const lines = [
    '',
    `${url} is balanced over ${backends.length} backends ${how}:`,
    ...backends.map(({ name, address }) => `  ${address}  ${name}`),
    '',
    'Try',
    `  curl ${url}                 again and again: another backend answers`,
  ];
  if (lb.adminAddress !== undefined) {
    const admin = lb.adminAddress.startsWith('unix:')
      ? `--unix-socket ${lb.adminAddress.slice('unix:'.length)} http://localhost`
      : `http://${lb.adminAddress}`;
    lines.push(`  curl ${admin}/health`, `  curl ${admin}/metrics`);
  }
  return [...lines, '', 'Ctrl-C ends it.', ''].join('\n');
}

export interface DemoOptions extends Overrides {
  readonly port: string;
}

export async function demo(options: DemoOptions, print: (text: string) => void): Promise<number> {
  const port = Number(options.port);
  if (!/^\d{1,5}$/.test(options.port) || port > 65_535) {
    throw new UsageError(`--port is '${options.port}': expected a number from 0 to 65535`);
  }
  const empty = { listeners: {}, pools: {} };
  const settings = withOverrides(empty, { logLevel: 'warn', ...options });
  const backends = await Promise.all(names.map(startBackend));
  const config: Config = {
    ...settings,
    listeners: { web: { listen: `127.0.0.1:${port}`, mode: 'http', routes: [{ pool: 'web' }] } },
    pools: { web: { backends: backends.map(({ address }) => address) } },
  };
  try {
    return await serve({
      source: config,
      logLevel: config.logLevel,
      logFormat: logFormatOf(options),
      ready: (lb) => {
        const address = lb.address('web');
        const bound = 'port' in address ? address.port : port;
        print(banner(`http://127.0.0.1:${bound}`, backends, lb));
      },
    });
  } finally {
    for (const { server } of backends) {
      server.close();
      server.closeAllConnections();
    }
  }
}
