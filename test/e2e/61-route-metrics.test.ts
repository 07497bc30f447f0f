// What the metrics of routes say is what the clients that made the load have counted: requests by
// class, bytes to the last one, and a duration each.
import { expect, it } from 'vitest';
import { assertServedBy } from '../fixtures/balancers.ts';
import { expectNothingHeld, startHttp } from '../fixtures/http-balancers.ts';
import { get, HttpClient, post } from '../fixtures/http-clients.ts';
import { message, startHttpOrigin } from '../fixtures/http-origins.ts';
import { forEachEngine, useScene } from '../fixtures/scene.ts';

const scene = useScene();

const routes = [
  { hosts: ['a.example'], pathPrefix: '/api', pool: 'web' },
  { hosts: ['*.example'], pool: 'web' },
  { pathPrefix: '/files', pool: 'web' },
];
// By the route's labels; requests are for a.example.
const paths = [
  { host: 'a.example', path: '/api', asked: ['/api', '/api/x?y=/files', '/other/%2e%2e/api/z'] },
  { host: '*.example', path: '/', asked: ['/', '/apis', '/files/of/a.example'] },
];
const statuses = ['200 OK', '302 Found', '404 Not Found', '500 Oops'];

interface Count {
  readonly classes: Record<string, number>;
  requests: number;
  sent: number;
  received: number;
}

forEachEngine((engine) => {
  it('agree with what clients have counted', async () => {
    const origin = await startHttpOrigin(scene, async (call) => {
      const { length } = await call.body();
      const nth = Math.floor(length / 100) % statuses.length;
      await call.send(message(Buffer.alloc(length * 10, 'r'), 'Date: then\r\n', statuses[nth]));
    });
    const http = await startHttp(scene, engine, [origin.address], { listener: { routes } });
    const counts = paths.map((): Count => ({ classes: {}, requests: 0, sent: 0, received: 0 }));
    const one = async (seed: number): Promise<void> => {
      const client = await new HttpClient(http.target).opened();
      for (let nth = seed; nth < seed + 30; nth++) {
        const count = counts[nth % counts.length] as Count;
        const { asked } = paths[nth % paths.length] as (typeof paths)[number];
        const path = asked[nth % asked.length] as string;
        const request = nth % 5 === 0 ? get(path) : post('b'.repeat((nth * 37) % 9000), path);
        const before = client.stream.raw.length;
        const { status } = await client.ask(request);
        const name = `${Math.floor(status / 100)}xx`;
        count.classes[name] = (count.classes[name] ?? 0) + 1;
        count.requests++;
        count.sent += Buffer.byteLength(request);
        count.received += client.stream.raw.length - before;
      }
      // Nobody's: no route is for it.
      expect((await client.ask('GET /x HTTP/1.1\r\nHost: other\r\n\r\n')).status).toBe(404);
      client.close();
    };
    await Promise.all(Array.from({ length: 30 }, (_, index) => one(index)));
    await expectNothingHeld(http);

    const metrics = http.metrics();
    for (const [index, { host, path }] of paths.entries()) {
      const route = { listener: 'in', host, path };
      const of = (name: string, labels = {}): number =>
        metrics.one(`sluice_route_${name}`, { ...route, ...labels });
      const { classes, requests, sent, received } = counts[index] as Count;
      expect(Object.keys(classes).sort()).toEqual(['2xx', '3xx', '4xx', '5xx']);
      for (const [status, count] of Object.entries(classes)) {
        expect(of('responses_total', { status })).toBe(count);
      }
      expect(of('responses_total', { status: '1xx' })).toBe(0);
      expect(of('request_bytes_total')).toBe(sent);
      expect(of('response_bytes_total')).toBe(received);
      expect(of('request_duration_seconds_count')).toBe(requests);
      expect(of('request_duration_seconds_bucket', { le: '+Inf' })).toBe(requests);
      expect(of('request_duration_seconds_sum')).toBeGreaterThan(0);
      expect(of('requests_active')).toBe(0);
    }
    const unused = { listener: 'in', host: '*', path: '/files' };
    expect(metrics.sum('sluice_route_responses_total', unused)).toBe(0);
    const all = counts.reduce((sum, { requests }) => sum + requests, 0);
    expect(metrics.sum('sluice_route_responses_total')).toBe(all);
    expect(metrics.one('sluice_pool_requests_total')).toBe(all);
    expect(metrics.one('sluice_listener_requests_total')).toBe(all + 30);
    assertServedBy(metrics, engine);
  });
});
