// What probes and collectors ask, outside of any version: /health and /metrics.
import type { FastifyInstance } from 'fastify';
import { refuseOthers, sendJson } from './http.ts';
import type { AdminSource } from './source.ts';
import type { Tokens } from './tokens.ts';

export function plainRoutes(app: FastifyInstance, source: AdminSource, tokens: Tokens): void {
  app.get('/health', (request, reply) => {
    const report = source.health();
    const { status, timestamp } = report;
    // Without a token: what a probe needs, and no more.
    const known = tokens.accepts(request.headers.authorization);
    return sendJson(
      reply.code(status === 'healthy' ? 200 : 503),
      known ? report : { status, timestamp },
    );
  });
  app.get('/metrics', (_, reply) =>
    reply
      .header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
      .header('cache-control', 'no-store')
      .header('x-content-type-options', 'nosniff')
      .send(Buffer.from(source.metrics())),
  );
  for (const path of ['/health', '/metrics']) refuseOthers(app, path, ['GET']);
}
