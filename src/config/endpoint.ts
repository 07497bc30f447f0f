// Where a container engine answers: as configurations and DOCKER_HOST state it.
import { homedir } from 'node:os';
import { join } from 'node:path';

// Paths of PEM files.
export interface TlsFiles {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface Endpoint {
  // As stated, for people.
  readonly text: string;
  readonly where:
    | { readonly kind: 'socket'; readonly path: string }
    | { readonly kind: 'tcp'; readonly host: string; readonly port: number };
  readonly tls: TlsFiles | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export const endpointExpected =
  "an endpoint like 'unix:///var/run/docker.sock', 'tcp://10.0.0.1:2375' or 'https://host:2376'";
export const usualEndpoint = 'unix:///var/run/docker.sock';

const plainPort = 2375;
const tlsPort = 2376;

// undefined when the text is no endpoint.
export function parseEndpoint(text: string, tls?: TlsFiles): Endpoint | undefined {
  const socket = /^(?:unix:(?:\/\/)?)?(\/.*)$/.exec(text)?.[1];
  if (socket !== undefined) {
    return { text, where: { kind: 'socket', path: socket }, tls: undefined };
  }
  const found = /^(tcp|http|https):\/\/(?:\[([0-9a-f:.]+)\]|([\w.-]+))(?::([0-9]{1,5}))?\/?$/i.exec(
    text,
  );
  const scheme = found?.[1]?.toLowerCase();
  const host = found?.[2] ?? found?.[3];
  if (host === undefined) return undefined;
  const secured = scheme === 'https' ? (tls ?? {}) : tls;
  const usual = secured === undefined ? plainPort : tlsPort;
  const port = Number(found?.[4] ?? usual);
  if (port < 1 || port > 65_535) return undefined;
  return { text, where: { kind: 'tcp', host, port }, tls: secured };
}

// What DOCKER_HOST, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH mean to every client of Docker.
export function endpointOf(
  stated: string | undefined,
  tls: TlsFiles | undefined,
  env: Environment,
): Endpoint | undefined {
  if (stated !== undefined) return parseEndpoint(stated, tls);
  const text = env['DOCKER_HOST'] || usualEndpoint;
  if (tls !== undefined || !env['DOCKER_TLS_VERIFY']) return parseEndpoint(text, tls);
  const folder = env['DOCKER_CERT_PATH'] || join(homedir(), '.docker');
  const [ca, cert, key] = ['ca', 'cert', 'key'].map((name) => join(folder, `${name}.pem`));
  return parseEndpoint(text, { ca, cert, key });
}
