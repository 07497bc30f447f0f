// Probes against real sockets.
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseBackendAddress } from '../../../src/config/address.ts';
import { healthCheckOf } from '../../../src/config/health.ts';
import type { HealthCheckConfig } from '../../../src/config/schema-health.ts';
import { makeHttpProbe } from '../../../src/health/http-probe.ts';
import type { Finding, Probe } from '../../../src/health/probe.ts';
import { tcpProbe } from '../../../src/health/tcp-probe.ts';
import type { Address } from '../../../src/model/types.ts';
import { deadPort, startOrigin } from '../../fixtures/origins.ts';
import { until, useScene } from '../../fixtures/scene.ts';

const scene = useScene();
const httpProbe = makeHttpProbe('probe');

function ask(probe: Probe, address: string, config: HealthCheckConfig = {}): Promise<Finding> {
  const check = healthCheckOf({ timeout: '300ms', ...config });
  if (check === undefined) throw new Error('a check is stated');
  return new Promise((resolve) => {
    probe(parseBackendAddress(address) as Address, check, resolve);
  });
}

// Sends `answer` when a head has come, and keeps what came.
async function answering(answer: string, end = true, path?: string) {
  const heads: string[] = [];
  const serve = (socket: Socket): void => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (!text.includes('\r\n\r\n')) return;
      heads.push(text);
      socket.write(answer);
      if (end) socket.end();
    });
  };
  const origin = await startOrigin(scene, path === undefined ? { serve } : { serve, path });
  return { origin, address: origin.address, heads };
}
const head = (status: string, fields = ''): string => `HTTP/1.1 ${status}\r\n${fields}\r\n`;

it('asks for the path, on a connection of its own, which it closes', async () => {
  const { address, heads, origin } = await answering(
    `${head('200 OK', 'Content-Length: 2\r\n')}ok`,
  );
  expect(await ask(httpProbe, address)).toEqual({ result: 'success', reason: 'status 200' });
  expect(heads[0]?.startsWith('GET /health HTTP/1.1\r\n')).toBe(true);
  expect(heads[0]).toContain(`Host: ${address}\r\n`);
  expect(heads[0]).toMatch(/connection: close\r\n/i);
  expect(heads[0]).toContain('User-Agent: probe\r\n');
  await until('closed', () => origin.open.size === 0);
  await ask(httpProbe, address, { path: '/up?full=1', host: 'app.example' });
  expect(heads[1]?.startsWith('GET /up?full=1 HTTP/1.1\r\n')).toBe(true);
  expect(heads[1]).toContain('Host: app.example\r\n');
  expect(origin.connections).toBe(2);
});

it('takes 200 and nothing else, unless told otherwise', async () => {
  for (const status of ['204 No Content', '301 Moved\r\nLocation: /', '404 No', '500 No']) {
    const { address } = await answering(head(status, 'Content-Length: 0\r\n'));
    const code = Number(status.slice(0, 3));
    const refused = { result: 'status', reason: `status ${code}` };
    expect(await ask(httpProbe, address)).toEqual(refused);
    expect(await ask(httpProbe, address, { statuses: ['200-299'] })).toEqual(
      code === 204 ? { ...refused, result: 'success' } : refused,
    );
    expect((await ask(httpProbe, address, { statuses: [200, code] })).result).toBe('success');
  }
});

it('goes to the port it is told, and to Unix sockets', async () => {
  const { origin, heads } = await answering(head('200 OK', 'Content-Length: 0\r\n'));
  const port = Number(origin.address.split(':')[1]);
  const stated = `127.0.0.1:${await deadPort()}`;
  expect((await ask(httpProbe, stated, { port })).result).toBe('success');
  expect(heads[0]).toContain(`Host: 127.0.0.1:${port}\r\n`);
  expect((await ask(tcpProbe, stated, { type: 'tcp', port })).result).toBe('success');
  const path = join(scene.folder(), 's');
  const unix = await answering(head('200 OK', 'Content-Length: 0\r\n'), true, path);
  expect((await ask(httpProbe, `unix:${path}`)).result).toBe('success');
  expect(unix.heads[0]).toContain('Host: localhost\r\n');
  expect((await ask(tcpProbe, `unix:${path}`, { type: 'tcp' })).result).toBe('success');
});

it('names what is wrong', async () => {
  const dead = `127.0.0.1:${await deadPort()}`;
  const refused = { result: 'refused', reason: 'connection refused' };
  expect(await ask(httpProbe, dead)).toEqual(refused);
  expect(await ask(tcpProbe, dead, { type: 'tcp' })).toEqual(refused);
  expect(await ask(tcpProbe, 'unix:/nobody/here', { type: 'tcp' })).toEqual(refused);
  const { address: garbage } = await answering('SSH-2.0-x\r\n');
  expect((await ask(httpProbe, garbage)).result).toBe('invalid');
  const resets = await startOrigin(scene, { serve: (socket) => void socket.resetAndDestroy() });
  expect((await ask(httpProbe, resets.address)).result).toBe('reset');
});

it('gives up in time, whatever the backend is at', async () => {
  const slow = [
    await startOrigin(scene, { serve: (socket) => void socket.resume() }),
    (await answering('HTTP/1.1 200', false)).origin,
    (await answering(head('100 Continue'), false)).origin,
  ];
  for (const { address, open } of slow) {
    const began = performance.now();
    const finding = await ask(httpProbe, address);
    expect(finding).toEqual({ result: 'timeout', reason: 'no answer within 300 ms' });
    expect(performance.now() - began).toBeLessThan(1500);
    await until('ended', () => [...open].every((socket) => socket.readableEnded));
  }
});

it('reads no endless head and no endless body', async () => {
  const { address: head1 } = await answering(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(40_000)}`, false);
  expect((await ask(httpProbe, head1)).result).toBe('invalid');
  let sent = 0;
  const endless = await startOrigin(scene, {
    serve: (socket) => {
      socket.write(head('200 OK'));
      const more = (): void => {
        while (socket.writable && socket.write('y'.repeat(16_384))) sent += 16_384;
      };
      socket.on('drain', more);
      more();
    },
  });
  expect((await ask(httpProbe, endless.address, { timeout: '5s' })).result).toBe('success');
  await until('closed', () => endless.open.size === 0, 3000);
  expect(sent).toBeLessThan(64 * 1024 * 1024);
});

it('calls nobody after it was ended', async () => {
  const server = createServer(() => {}).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const check = healthCheckOf({ timeout: '50ms' });
  if (check === undefined) throw new Error('a check is stated');
  let called = 0;
  for (const probe of [httpProbe, tcpProbe]) {
    probe(parseBackendAddress(`127.0.0.1:${port}`) as Address, check, () => called++)();
  }
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(called).toBe(0);
  server.close();
});
