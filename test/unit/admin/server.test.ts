import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openDialects } from '../../../src/admin/dialects.ts';
import { AdminServer } from '../../../src/admin/server.ts';
import { ipAddress } from '../../../src/config/address.ts';
import { SluiceError } from '../../../src/errors.ts';
import { createLogger } from '../../../src/log.ts';
import type { HealthReport } from '../../../src/metrics/health.ts';
import type { StatedAddress } from '../../../src/model/types.ts';
import { fakeSource, healthy } from '../../fixtures/fake-admin.ts';

const report = healthy;
const lines: string[] = [];
const log = createLogger({ write: (line) => void lines.push(line), format: 'json' });

const servers: AdminServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

interface Given {
  readonly listen?: StatedAddress;
  readonly health?: () => HealthReport;
}

async function started({ listen, health = () => report }: Given = {}): Promise<AdminServer> {
  const address = listen ?? ipAddress('127.0.0.1', 0);
  if (address === undefined) throw new Error('no address');
  const source = fakeSource({ health, metrics: () => 'up 1\n' });
  const server = await AdminServer.start({
    listen: address,
    source,
    dialects: await openDialects(source),
    log,
  });
  servers.push(server);
  return server;
}

async function ask(options: RequestOptions & { readonly body?: string }) {
  const sent = request({ agent: false, ...options });
  sent.end(options.body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += chunk;
  return { status: response.statusCode, headers: response.headers, body };
}

const portOf = ({ address }: AdminServer): number => Number(/:(\d+)$/.exec(address)?.[1]);

describe('the admin server', () => {
  it('answers health as JSON', async () => {
    const port = portOf(await started());
    const { status, headers, body } = await ask({ port, host: '127.0.0.1', path: '/health' });
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('application/json');
    expect(headers['cache-control']).toBe('no-store');
    expect(JSON.parse(body)).toEqual(report);
  });

  it('answers 503 with the report when it is not healthy', async () => {
    const port = portOf(await started({ health: () => ({ ...report, status: 'unhealthy' }) }));
    const { status, body } = await ask({ port, path: '/health' });
    expect(status).toBe(503);
    expect(JSON.parse(body)).toMatchObject({ status: 'unhealthy', generation: 4 });
  });

  it('answers metrics as Prometheus reads them, with any query', async () => {
    const port = portOf(await started());
    const { status, headers, body } = await ask({ port, path: '/metrics?x=1' });
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(body).toBe('up 1\n');
  });

  it('answers HEAD like GET, without a body', async () => {
    const port = portOf(await started());
    const { status, headers, body } = await ask({ port, path: '/metrics', method: 'HEAD' });
    expect(status).toBe(200);
    expect(headers['content-length']).toBe('5');
    expect(body).toBe('');
  });

  it('answers what is not there with a problem document', async () => {
    const port = portOf(await started());
    const missing = await ask({ port, path: '/nothing' });
    expect(missing.status).toBe(404);
    expect(missing.headers['content-type']).toBe('application/problem+json');
    expect(JSON.parse(missing.body)).toMatchObject({ status: 404, title: 'Not Found' });
    const wrong = await ask({ port, path: '/health', method: 'POST', body: 'x' });
    expect(wrong.status).toBe(405);
    expect(wrong.headers.allow).toBe('GET, HEAD');
  });

  it('answers errors of the table with their code, others without their text', async () => {
    const closed = () => {
      throw new SluiceError('ERR_SLUICE_CLOSED');
    };
    const first = await ask({ port: portOf(await started({ health: closed })), path: '/health' });
    expect(first.status).toBe(503);
    expect(JSON.parse(first.body)).toMatchObject({ code: 'ERR_SLUICE_CLOSED' });
    const broken = () => {
      throw new Error('secret');
    };
    const second = await ask({ port: portOf(await started({ health: broken })), path: '/health' });
    expect(second.status).toBe(500);
    expect(second.body).not.toContain('secret');
    expect(lines.at(-1)).toContain('secret');
  });
});

describe('the check of the host', () => {
  it.each([
    ['localhost:9123', 200],
    ['app.localhost', 200],
    ['127.0.0.1', 200],
    ['[::1]:9123', 200],
    ['192.0.2.7:80', 200],
    ['rebound.example:9123', 403],
    ['localhost.example', 403],
    ['127.0.0.1.example', 403],
    ['user@localhost', 403],
  ])('on loopback, %s is answered %i', async (host, status) => {
    const port = portOf(await started());
    const answer = await ask({ port, path: '/health', headers: { host } });
    expect(answer.status).toBe(status);
  });

  it('is not made where names are expected', async () => {
    const everywhere = ipAddress('0.0.0.0', 0);
    const port = portOf(await started(everywhere === undefined ? {} : { listen: everywhere }));
    const headers = { host: 'balancer.example' };
    expect((await ask({ port, path: '/health', headers })).status).toBe(200);
  });
});

describe('the address of the admin server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-admin-'));
  const path = join(folder, 'admin.sock');
  const listen: StatedAddress = { kind: 'unix', path, text: `unix:${path}` };
  afterEach(() => rmSync(path, { force: true }));

  it('may be a socket file that only its owner opens', async () => {
    const server = await started({ listen });
    expect(server.address).toBe(`unix:${path}`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const headers = { host: 'any.example' };
    expect((await ask({ socketPath: path, path: '/health', headers })).status).toBe(200);
  });

  it('takes over the socket file of a dead process, not that of a living one', async () => {
    const dead = createServer().listen(path);
    await once(dead, 'listening');
    await expect(started({ listen })).rejects.toMatchObject({ code: 'ERR_SLUICE_LISTEN' });
    // Closing removes the file, dying does not: it is kept aside meanwhile.
    renameSync(path, `${path}.aside`);
    await new Promise((resolve) => dead.close(resolve));
    renameSync(`${path}.aside`, path);
    expect((await started({ listen })).address).toBe(`unix:${path}`);
  });

  it('is refused with a coded error when it is in use', async () => {
    const port = portOf(await started());
    const same = ipAddress('127.0.0.1', port);
    const failed = started(same === undefined ? {} : { listen: same });
    await expect(failed).rejects.toMatchObject({
      code: 'ERR_SLUICE_LISTEN',
      cause: { code: 'EADDRINUSE' },
    });
  });
});
