// HTTP inside a program: requests find their pool by host and path, while pools change.
// Run it with `npx tsx examples/http.ts`.
import { once } from 'node:events';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLoadBalancer, defineConfig } from 'sluice';

// A backend that says its name, and what it is told of the client.
async function startBackend(name: string) {
  const server = createServer(({ url, headers }, response) => {
    const { 'x-forwarded-for': client, 'x-forwarded-host': host } = headers;
    response.end(`${name}: ${url} of ${host} for ${client}`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { server, address: `127.0.0.1:${port}` };
}

const site = await startBackend('site');
const api = await startBackend('api');
const spare = await startBackend('spare');

const config = defineConfig({
  workers: 1,
  logLevel: 'warn',
  listeners: {
    web: {
      listen: '127.0.0.1:0',
      mode: 'http',
      routes: [
        { hosts: ['www.example.com'], pool: 'site' },
        { hosts: ['www.example.com'], pathPrefix: '/api', pool: 'api' },
      ],
      timeouts: { requestHead: '5s' },
    },
  },
  pools: {
    site: { backends: [site.address] },
    api: { backends: [api.address], timeouts: { responseHead: '5s' } },
  },
});

const lb = await createLoadBalancer(config);
const address = lb.address('web');
if (!('port' in address)) throw new Error('not a port');
const { port } = address;

function ask(host: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ port, path, headers: { host }, agent: false }, async (response) => {
      let text = '';
      for await (const chunk of response.setEncoding('utf8')) text += chunk;
      resolve(`${response.statusCode} ${text.trim()}`);
    }).on('error', reject);
  });
}

console.log(await ask('www.example.com', '/'));
console.log(await ask('WWW.Example.com:80', '/api/users?all'));
console.log(await ask('other.example.com', '/'));

// Only new requests go to the spare one; those under way on the other may end first.
const pool = lb.pool('api');
await pool.add(spare.address);
await pool.remove(api.address, { timeout: '1s' });
console.log(await ask('www.example.com', '/api/users'));

const { listeners } = lb.stats();
const requests = listeners['web']?.requests;
console.log(`${requests?.total} requests, ${requests?.answered['404']} without a route`);
for (const route of requests?.routes ?? []) {
  console.log(`${route.host}${route.pathPrefix} to ${route.pool}: ${route.responses['2xx']}`);
}

await lb.close();
for (const { server } of [site, api, spare]) server.close();
