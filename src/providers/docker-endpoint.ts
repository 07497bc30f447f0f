// What a connection to a container engine needs, and what to do when there is none.
import { readFileSync } from 'node:fs';
import type { Endpoint, TlsFiles } from '../config/endpoint.ts';
import { reasonOf } from '../errors.ts';

export interface TlsTexts {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

// Read anew for each connection to the engine, so that renewed files are used. Throws.
export function readTls({ ca, cert, key }: TlsFiles): TlsTexts {
  return {
    ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
    ...(cert === undefined ? {} : { cert: readFileSync(cert) }),
    ...(key === undefined ? {} : { key: readFileSync(key) }),
  };
}

// What may help, by the error of a connection.
export function remedyFor({ where, tls }: Endpoint, error: unknown): string {
  const code = String((error as { code?: unknown } | null)?.code ?? '');
  const path = where.kind === 'socket' ? where.path : '';
  if (code === 'EACCES' || code === 'EPERM') {
    const group = "add it to the socket's group (usually docker)";
    return `let this user use ${path}: ${group}, or put a socket proxy before it`;
  }
  if (code === 'ENOENT') {
    const mounted = `is Docker installed, and ${path} mounted where sluice runs in a container?`;
    return `${mounted} Otherwise state the endpoint, or DOCKER_HOST`;
  }
  if (code === 'ECONNREFUSED') return 'is the engine running? `systemctl status docker` tells';
  if (/CERT|SSL|TLS|SIGNATURE|ISSUER/.test(`${code} ${reasonOf(error)}`)) {
    return 'check ca, cert and key of providers.docker.tls, or the files in DOCKER_CERT_PATH';
  }
  const wantsTls = code === 'ECONNRESET' || /HTTPS server/.test(reasonOf(error));
  if (wantsTls && tls === undefined && where.kind === 'tcp') {
    return 'the engine may want TLS: state providers.docker.tls, or DOCKER_TLS_VERIFY';
  }
  return 'is the endpoint right, and reached from here?';
}
