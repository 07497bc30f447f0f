// A configuration as a program: one pool for each domain. Run it with
//   npx sluice run -c examples/sluice.config.ts
//   curl -H 'Host: www.example.com' http://127.0.0.1:8080/
import { defineConfig, domains, routeDomain } from 'sluice';

// What differs from place to place comes from the environment.
const { REPLICAS = '2' } = process.env;
const replicas = Array.from(
  { length: Number(REPLICAS) },
  (_, index) => `127.0.0.1:${9001 + index}`,
);

export default defineConfig({
  admin: { listen: '127.0.0.1:9123' },
  ...domains(
    [
      routeDomain('www.example.com', (domain) => {
        for (const [index, address] of replicas.entries()) domain.container(`web${index}`, address);
        return domain.strategy('least_connections');
      }),
      routeDomain('*.example.com', (domain) => domain.container('other', '127.0.0.1:9011')),
    ],
    { listen: '127.0.0.1:8080' },
  ),
});
