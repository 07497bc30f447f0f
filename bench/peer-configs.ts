// The configuration of each contender. The peers get what their manuals advise for speed, and do
// for HTTP what sluice does: reuse connections on both sides and set X-Forwarded-*.
import { join } from 'node:path';

export type Engine = 'io_uring' | 'epoll';

export interface Setup {
  readonly root: string; // of the repository
  readonly directory: string; // for configuration and logs
  readonly cpu: number;
  readonly port: number;
  readonly adminPort: number;
  readonly http: boolean; // otherwise TCP
  readonly origins: readonly string[]; // as the load program takes them: ports or paths
  readonly bodies: boolean; // large bodies: HAProxy gets option splice-auto
  readonly settleMs: number;
  readonly logs: boolean; // requests, to `accessLogOf`
}

export const accessLogOf = ({ directory, port }: Setup): string =>
  join(directory, `access-${port}.log`);

const isPath = (origin: string): boolean => origin.startsWith('/');
const addressOf = (origin: string, unixPrefix: string): string =>
  isPath(origin) ? `${unixPrefix}${origin}` : `127.0.0.1:${origin}`;

// With splice-auto every connection may hold a pipe, two more descriptors of the 20,000.
export const haproxyConfig = ({ port, http, origins, bodies, logs }: Setup): string => `global
  nbthread 1
  maxconn ${bodies ? 4500 : 9500}
defaults
  ${logs ? 'log stdout format raw local0\n  option httplog' : 'no log'}
  mode ${http ? 'http' : 'tcp'}
  ${bodies ? 'option splice-auto' : '# bodies are copied'}
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen in
  bind 127.0.0.1:${port}
  balance roundrobin
${http ? haproxyHttp : ''}${origins
  .map((origin, i) => `  server origin${i} ${addressOf(origin, 'unix@')}\n`)
  .join('')}`;

const haproxyHttp = `  http-reuse always
  timeout http-keep-alive 1h
  option forwardfor
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(Host)]
`;

// A worker of another user could not open the Unix sockets of root.
export const nginxConfig = (setup: Setup, streamModule: string): string => `${
  setup.http ? '' : streamModule
}
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${join(setup.directory, 'nginx.pid')};
error_log ${join(setup.directory, 'nginx-error.log')} error;
events { worker_connections 19900; }
${setup.http ? nginxHttp(setup) : nginxStream(setup)}`;

const nginxServers = ({ origins }: Setup): string =>
  origins.map((origin) => `    server ${addressOf(origin, 'unix:')} max_fails=0;\n`).join('');

const nginxStream = (setup: Setup): string => `stream {
  access_log off;
  upstream origins {
${nginxServers(setup)}  }
  server {
    listen 127.0.0.1:${setup.port} backlog=4096;
    proxy_pass origins;
    proxy_connect_timeout 5s;
    proxy_timeout 1h;
  }
}
`;

// Answers that the client takes slowly stay in memory: a disk is no part of the comparison.
const nginxHttp = (setup: Setup): string => `http {
  access_log ${setup.logs ? `${accessLogOf(setup)} combined buffer=64k flush=1s` : 'off'};
${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  .map((part) => `  ${part}_temp_path ${join(setup.directory, `nginx-${part}`)};\n`)
  .join('')}  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  upstream origins {
${nginxServers(setup)}    keepalive 512;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
  }
  server {
    listen 127.0.0.1:${setup.port} backlog=4096;
    location / {
      proxy_pass http://origins;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_max_temp_file_size 0;
      proxy_connect_timeout 5s;
      proxy_read_timeout 1h;
    }
  }
}
`;

// The load program asks these hosts in turn.
export const hosts = Array.from(
  { length: 100 },
  (_, i) => `app${String(i).padStart(2, '0')}.example`,
);

const sluiceHttp = `mode: http
    timeouts: { clientIdle: 1h }
    routes:
${hosts.map((host) => `      - { hosts: [${host}], pool: web }\n`).join('')}`;

export const sluiceConfig = (setup: Setup, engine: Engine): string => `workers: 1
engine: ${engine}
admin: { listen: '127.0.0.1:${setup.adminPort}' }
${setup.logs ? `accessLog: { format: json, path: '${accessLogOf(setup)}' }\n` : ''}listeners:
  in:
    listen: '127.0.0.1:${setup.port}'
    ${setup.http ? sluiceHttp : 'mode: tcp\n    routes: [{ pool: web }]\n'}pools:
  web:
    strategy: round_robin
    backends: [${setup.origins.map((origin) => `'${addressOf(origin, 'unix:')}'`).join(', ')}]
`;
