// The page at /ui/: the files that the build made, known by name when the server starts, so that no
// request can name another one.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { Refusal } from './problem.ts';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};

interface Asset {
  readonly body: Buffer;
  readonly type: string;
  readonly etag: string;
  // Its name changes with its content.
  readonly hashed: boolean;
}

function assetsIn(folder: URL): Map<string, Asset> {
  const found = new Map<string, Asset>();
  let names: string[];
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch {
    return found;
  }
  for (const name of names) {
    const type = types[extname(name)];
    if (type === undefined) continue;
    const body = readFileSync(new URL(name, folder));
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
    found.set(name, { body, type, etag, hashed: name.startsWith('assets/') });
  }
  return found;
}

function send(reply: FastifyReply, { body, type, etag, hashed }: Asset, known: string | undefined) {
  reply.headers({
    'cache-control': hashed ? 'public, max-age=31536000, immutable' : 'no-cache',
    'content-security-policy':
      "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    etag,
  });
  if (known === etag) return reply.code(304).send();
  return reply.header('content-type', type).send(body);
}

export interface Ui {
  readonly exists: boolean;
  mount(app: FastifyInstance): void;
}

// `folder` ends with a slash.
export function loadUi(folder: URL): Ui {
  const assets = assetsIn(folder);
  return {
    exists: assets.has('index.html'),
    mount(app) {
      app.get('/ui', (_, reply) => reply.redirect('/ui/', 302));
      app.get<{ Params: { '*': string } }>('/ui/*', (request, reply) => {
        const asset = assets.get(request.params['*'] || 'index.html');
        if (asset === undefined) throw new Refusal(404, 'the page has no such file');
        return send(reply, asset, request.headers['if-none-match']);
      });
    },
  };
}
