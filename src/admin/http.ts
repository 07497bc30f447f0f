// What all dialects of the admin API share: answers in JSON, bodies in JSON, methods.
import type { FastifyInstance, FastifyReply } from 'fastify';
import { Refusal } from './problem.ts';

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

export function sendJson(reply: FastifyReply, body: unknown, type = 'application/json') {
  return reply
    .header('content-type', type)
    .header('cache-control', 'no-store')
    .header('x-content-type-options', 'nosniff')
    .send(Buffer.from(`${JSON.stringify(body)}\n`));
}

// Answers other methods of a path with 405.
export function refuseOthers(app: FastifyInstance, url: string, known: readonly string[]): void {
  const allowed = known.includes('GET') ? [...known, 'HEAD'] : [...known];
  const others = methods.filter((method) => !allowed.includes(method));
  app.route({
    method: others,
    url,
    // Before a body is read.
    onRequest: async () => {
      const allow = allowed.join(', ');
      throw new Refusal(405, `only ${allow} is allowed here`, { allow });
    },
    handler: async () => undefined,
  });
}

// JSON and nothing else: a form that a foreign page sends needs no permission of the browser.
export function acceptJson(app: FastifyInstance, types: readonly string[]): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser([...types], { parseAs: 'string' }, (request, text, done) => {
    if (text === '') done(null, undefined);
    else parse(request, String(text), done);
  });
}
