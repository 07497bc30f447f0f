// Who may ask the admin API, and who may change something: names, origins, tokens.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDialects } from '../../../src/admin/dialects.ts';
import { AdminServer } from '../../../src/admin/server.ts';
import { ipAddress, parseAddress } from '../../../src/config/address.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { createLogger } from '../../../src/log.ts';
import type { Desired, StatedAddress } from '../../../src/model/types.ts';
import { type Asked, ask, type Told } from '../../fixtures/admin-api.ts';
import { fakeSource, healthy } from '../../fixtures/fake-admin.ts';
import { targetOf } from '../../fixtures/programs.ts';

const log = createLogger({ level: 'silent' });
const token = 'a-token-of-24-characters';
const form = { 'content-type': 'application/x-www-form-urlencoded' };
const server = '{"address":":8080","upstreams":[{"Target":"127.0.0.1","Port":1}]}';

const folder = mkdtempSync(join(tmpdir(), 'sluice-access-'));
const ui = join(folder, 'ui');
mkdirSync(join(ui, 'assets'), { recursive: true });
writeFileSync(join(ui, 'index.html'), '<!doctype html><title>page</title>');
writeFileSync(join(ui, 'assets/app-1a2b.js'), 'export {};');
writeFileSync(join(folder, 'secret.html'), 'secret');
afterAll(() => rmSync(folder, { recursive: true }));

let stated: Desired[] = [];
let running: AdminServer | undefined;
beforeEach(() => {
  stated = [];
});
afterEach(async () => running?.close());

interface Given {
  readonly tokens?: readonly string[];
  readonly listen?: StatedAddress | undefined;
  readonly page?: boolean;
}

async function started({
  tokens = [],
  listen = ipAddress('127.0.0.1', 0),
  page = true,
}: Given = {}) {
  if (listen === undefined) throw new Error('no address');
  const source = fakeSource({
    health: () => healthy,
    statements: () => ({
      state: async (desired) => void stated.push(desired),
      flags: () => [],
    }),
  });
  const dialects = await openDialects(source);
  const uiFolder = pathToFileURL(`${page ? ui : join(folder, 'none')}/`);
  running = await AdminServer.start({ listen, tokens, source, dialects, log, uiFolder });
  const target = targetOf(running.address);
  return (path: string, asked?: Asked): Promise<Told> => ask(target, path, asked);
}
const bearer = (value: string) => ({ authorization: `Bearer ${value}` });

describe('a page of another origin', () => {
  const cases: readonly (readonly [string, Record<string, string>, number])[] = [
    ['by its origin', { origin: 'https://evil.example' }, 403],
    ['that hides its origin', { origin: 'null' }, 403],
    ['on another port of this machine', { origin: 'http://localhost:1' }, 403],
    ['that the browser calls cross-site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['that the browser calls same-site', { 'sec-fetch-site': 'same-site' }, 403],
    ['under a name it rebound', { host: 'evil.example' }, 403],
    ['under a rebound name of its own', { host: 'e.example', origin: 'http://e.example' }, 403],
    ['that is ours', { host: 'localhost:9', origin: 'http://localhost:9' }, 204],
    ['that is none: curl', {}, 204],
  ];
  it.each(cases)('%s', async (_, headers, status) => {
    const tell = await started();
    const told = await tell('/server', {
      method: 'POST',
      headers: { ...form, ...headers },
      body: server,
    });
    expect(told.status).toBe(status);
    // Refused before anything is done.
    expect(stated).toHaveLength(status === 204 ? 1 : 0);
  });

  it('cannot send a form to the native API, whatever it is called', async () => {
    const tell = await started();
    for (const type of [form['content-type'], 'text/plain', 'multipart/form-data; boundary=x']) {
      const headers = { 'content-type': type };
      const body = '{"backends":[]}';
      const told = await tell('/api/v1/pools/web', { method: 'PUT', headers, body });
      expect(told.status).toBe(415);
      const domain = await tell('/api/routes', { method: 'POST', headers, body });
      expect(domain.status).toBe(415);
      expect(domain.body).toHaveProperty('error');
    }
  });

  it('is given no permission by an answer', async () => {
    const tell = await started();
    const headers = { origin: 'https://evil.example', 'access-control-request-method': 'PUT' };
    const preflight = await tell('/api/v1/pools/web', { method: 'OPTIONS', headers });
    expect(preflight.status).toBe(403);
    const read = await tell('/health', { headers });
    for (const { headers: sent } of [preflight, read]) {
      expect(Object.keys(sent).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });
});

describe('tokens', () => {
  it('are needed for all but health and the page', async () => {
    const tell = await started({ tokens: ['x'.repeat(16), token] });
    for (const path of [
      '/metrics',
      '/api/v1/version',
      '/api/routes',
      '/',
      '/api/v1/openapi.json',
    ]) {
      const told = await tell(path);
      expect(told.status, path).toBe(401);
      expect(told.headers['www-authenticate']).toBe('Bearer realm="sluice"');
      expect((await tell(path, { headers: bearer(token) })).status, path).toBe(200);
    }
    expect((await tell('/ui/')).status).toBe(200);
    expect((await tell('/nothing')).status).toBe(401);
    expect((await tell('/ui/', { method: 'POST' })).status).toBe(401);
    expect((await tell('/server', { method: 'POST', headers: form, body: server })).status).toBe(
      401,
    );
  });

  it.each(['', 'wrong', token.slice(1), `${token}x`, token.toUpperCase()])(
    'refuses %s',
    async (value) => {
      const tell = await started({ tokens: [token] });
      expect((await tell('/metrics', { headers: bearer(value) })).status).toBe(401);
      expect((await tell('/metrics', { headers: { authorization: token } })).status).toBe(401);
      const basic = { authorization: `Basic ${Buffer.from(token).toString('base64')}` };
      expect((await tell('/metrics', { headers: basic })).status).toBe(401);
    },
  );

  it('hide from others what health says beside its status', async () => {
    const tell = await started({ tokens: [token] });
    expect(Object.keys((await tell('/health')).body as object)).toEqual(['status', 'timestamp']);
    const known = await tell('/health', { headers: bearer(token) });
    expect(known.body).toEqual(healthy);
  });

  it('are not needed on a socket file, which only its owner opens', async () => {
    const path = join(folder, 'admin.sock');
    const tell = await started({ tokens: [token], listen: parseAddress(`unix:${path}`, '') });
    expect((await tell('/metrics')).status).toBe(200);
  });

  it('are required where other machines can connect', () => {
    const settings = (admin: object) => parseConfig({ admin }, 'file').settings;
    for (const listen of ['0.0.0.0:9123', '192.0.2.1:9123', '[::]:9123', 'balancer.example:9123']) {
      expect(() => settings({ listen })).toThrow(/admin\.tokens/);
      expect(settings({ listen, tokens: [token] })?.adminTokens).toEqual([token]);
    }
    for (const listen of [':9123', '127.0.0.1:9123', '[::1]:9123', 'localhost:9', 'unix:/a/b']) {
      expect(settings({ listen })?.adminTokens).toEqual([]);
    }
    expect(settings({})?.adminListen?.text).toBe('127.0.0.1:9123');
    expect(() => settings({ tokens: ['short'] })).toThrow(/16 to 512/);
    expect(() => settings({ tokens: [] })).toThrow(/admin\.tokens/);
  });
});

describe('the page', () => {
  it('is served with what it may load, its hashed files for ever', async () => {
    const tell = await started();
    const page = await tell('/ui/');
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.headers['content-security-policy']).toMatch(/^default-src 'self'/);
    expect(page.headers['cache-control']).toBe('no-cache');
    const headers = { 'if-none-match': String(page.headers.etag) };
    expect((await tell('/ui/', { headers })).status).toBe(304);
    const asset = await tell('/ui/assets/app-1a2b.js');
    expect(asset.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect((await tell('/ui')).headers.location).toBe('/ui/');
  });

  it.each(['../secret.html', '..%2fsecret.html', '%2e%2e/secret.html', 'none.js', 'assets'])(
    'has no file %s',
    async (name) => {
      const tell = await started();
      expect(existsSync(join(folder, 'secret.html'))).toBe(true);
      expect((await tell(`/ui/${name}`)).status).toBe(404);
    },
  );

  it('is where a browser is sent to, when there is one', async () => {
    const headers = { accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8' };
    const tell = await started();
    const sent = await tell('/', { headers });
    expect([sent.status, sent.headers.location]).toEqual([302, '/ui/']);
    expect((await tell('/', { headers: { accept: '*/*' } })).body).toEqual([]);
    await running?.close();
    const without = await started({ page: false });
    expect((await without('/', { headers })).body).toEqual([]);
    expect((await without('/ui/')).status).toBe(404);
  });
});
