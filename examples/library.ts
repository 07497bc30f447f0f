// A balancer inside a program: two backends, changed while connections are open.
// Run it with `npx tsx examples/library.ts`.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { createLoadBalancer, defineConfig } from 'sluice';

// A backend that answers its name.
async function startBackend(name: string) {
  const server = createServer((socket) => socket.on('error', () => {}).end(name));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { server, address: `127.0.0.1:${port}` };
}

async function ask(port: number): Promise<string> {
  let text = '';
  for await (const chunk of connect(port, '127.0.0.1').setEncoding('utf8')) text += chunk;
  return text;
}

const red = await startBackend('red');
const blue = await startBackend('blue');

const config = defineConfig({
  workers: 1,
  logLevel: 'warn',
  listeners: { in: { listen: '127.0.0.1:0', mode: 'tcp', routes: [{ pool: 'web' }] } },
  pools: { web: { backends: [red.address] } },
});

const lb = await createLoadBalancer(config);
const address = lb.address('in');
if (!('port' in address)) throw new Error('not a port');

console.log(`before: ${await ask(address.port)}`);

const pool = lb.pool('web');
// Resolves when every worker follows.
await pool.add({ address: blue.address, weight: 1 });
console.log(`both: ${[await ask(address.port), await ask(address.port)].sort().join(' ')}`);

// Waits for the backend's connections to end, then takes it out.
const { cut } = await pool.remove(red.address, { timeout: '1s' });
console.log(`after: ${await ask(address.port)}, ${cut} connections cut`);

const { engine, pools } = lb.stats();
console.log(`${engine} carried ${pools['web']?.connectionsTotal} connections`);

await lb.close();
red.server.close();
blue.server.close();
