// What becomes of heads on their way: what is added, removed, passed on, and how large they may be.

import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type HttpParts, startHttp } from '../fixtures/http-balancers.ts';
import { askOnce, get, openHttp } from '../fixtures/http-clients.ts';
import { message, startHttpOrigin } from '../fixtures/http-origins.ts';
import { forEachEngine, useScene } from '../fixtures/scene.ts';

const scene = useScene();

forEachEngine((engine) => {
  const start = async (parts: HttpParts = {}, fields = '') => {
    const origin = await startHttpOrigin(scene, (call) =>
      call.send(message(call.method === 'HEAD' ? '' : 'x', fields)),
    );
    const http = await startHttp(scene, engine, [origin.address], parts);
    const forwarded = async (request: string) => {
      const answer = await askOnce(http.target, request);
      const head = origin.calls.at(-1)?.head;
      if (head === undefined) throw new Error('nothing was forwarded');
      return { head, answer };
    };
    return { origin, http, forwarded };
  };
  const lines = (head: { readonly text: string }): string[] => head.text.trim().split('\r\n');

  it('passes on the line, the host and every end-to-end field as they came', async () => {
    const { forwarded } = await start();
    const fields = 'X-One: 1\r\nx-two:2\r\nX-One:  3 \r\nCookie: a=b; c=d\r\nX-Empty:\r\n';
    const { head } = await forwarded(
      `DELETE /a%2Fb/../c?d=e&f=%00 HTTP/1.1\r\nhOsT: A.Example:8080\r\n${fields}\r\n`,
    );
    expect(lines(head)).toEqual([
      'DELETE /a%2Fb/../c?d=e&f=%00 HTTP/1.1',
      'hOsT: A.Example:8080',
      'X-One: 1',
      'x-two:2',
      'X-One:  3 ',
      'Cookie: a=b; c=d',
      'X-Empty:',
      'X-Forwarded-For: 127.0.0.1',
      'X-Forwarded-Proto: http',
      'X-Forwarded-Host: A.Example:8080',
    ]);
  });

  it('replaces what a stranger says of those before it', async () => {
    const { forwarded } = await start();
    const { head } = await forwarded(
      get(
        '/',
        'X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n' +
          'Forwarded: for=1.2.3.4\r\nX_Forwarded_For: 5.6.7.8\r\n',
      ),
    );
    expect(head.all('x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(head.all('x-forwarded-proto')).toEqual(['http']);
    expect(head.all('x-forwarded-host')).toEqual(['a.example']);
    expect(head.all('forwarded')).toEqual([]);
    // Many backends read an underscore as a hyphen.
    expect(head.all('x_forwarded_for')).toEqual([]);
  });

  it('adds to what a trusted proxy says', async () => {
    const { forwarded } = await start({ listener: { trustedProxies: ['127.0.0.0/8'] } });
    const { head } = await forwarded(
      get(
        '/',
        'X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\nX-Forwarded-Proto: https\r\n' +
          'X-Forwarded-Host: www.example\r\nForwarded: for=1.2.3.4\r\n',
      ),
    );
    expect(head.all('x-forwarded-for').join(', ')).toBe('1.2.3.4, 5.6.7.8, 127.0.0.1');
    expect(head.all('x-forwarded-proto')).toEqual(['https']);
    expect(head.all('x-forwarded-host')).toEqual(['www.example']);
    expect(head.all('forwarded')).toEqual(['for=1.2.3.4']);
  });

  it.each([
    ['10.0.0.0/8', false],
    ['127.0.0.1', true],
    ['127.0.0.1/32', true],
    ['127.0.0.2/31', false],
    ['0.0.0.0/0', true],
    ['::1', false],
  ])('trusts 127.0.0.1 by %s: %s', async (range, trusted) => {
    const { forwarded } = await start({ listener: { trustedProxies: [range] } });
    const { head } = await forwarded(get('/', 'X-Forwarded-For: 1.2.3.4\r\n'));
    expect(head.all('x-forwarded-for').join(', ').startsWith('1.2.3.4')).toBe(trusted);
  });

  it('names clients of IPv6, and none that come over a Unix socket', async () => {
    const six = await start({ listener: { listen: '[::1]:0', trustedProxies: ['::/64'] } });
    const { head } = await six.forwarded(get('/', 'X-Forwarded-For: 2001:db8::1\r\n'));
    expect(head.all('x-forwarded-for').join(', ')).toBe('2001:db8::1, ::1');
    const path = join(scene.folder(), 'x.sock');
    const unix = await start({ listener: { listen: `unix:${path}` } });
    const local = await unix.forwarded(get('/', 'X-Forwarded-For: 1.2.3.4\r\n'));
    expect(local.head.all('x-forwarded-for')).toEqual([]);
    expect(local.head.all('x-forwarded-host')).toEqual(['a.example']);
  });

  it('says Via both ways where told to, behind what others said', async () => {
    const { forwarded } = await start({ listener: { via: true } }, 'Via: 1.0 inner\r\n');
    const { head, answer } = await forwarded(get('/', 'Via: 1.1 outer\r\n'));
    expect(head.all('via')).toEqual(['1.1 outer', '1.1 sluice']);
    expect(answer.head.all('via')).toEqual(['1.0 inner', '1.1 sluice']);
    const { forwarded: silent } = await start();
    expect((await silent(get())).head.all('via')).toEqual([]);
  });

  it('removes what is for one hop only, both ways', async () => {
    const hop =
      'Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\nTE: trailers\r\n' +
      'Proxy-Connection: keep-alive\r\nX-End: 2\r\n';
    const { forwarded } = await start({}, hop);
    const { head, answer } = await forwarded(get('/', hop));
    for (const { text } of [head, answer.head]) {
      expect(text).not.toMatch(/hop|keep-alive|^te:|proxy-connection|connection/im);
      expect(text).toContain('X-End: 2\r\n');
    }
  });

  it('takes an absolute target for its path, if Host agrees', async () => {
    const { forwarded, http } = await start();
    const { head } = await forwarded(
      'GET http://A.example/x?y HTTP/1.1\r\nHost: a.example\r\n\r\n',
    );
    expect(lines(head).slice(0, 2)).toEqual(['GET /x?y HTTP/1.1', 'Host: a.example']);
    const root = await forwarded('GET http://a.example HTTP/1.1\r\nHost: a.example\r\n\r\n');
    expect(root.head.start).toBe('GET / HTTP/1.1');
    const differs = 'GET http://a.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n';
    expect((await askOnce(http.target, differs)).status).toBe(400);
    const star = await forwarded('OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n');
    expect(star.head.start).toBe('OPTIONS * HTTP/1.1');
  });

  it('takes heads up to the limits and none beyond', async () => {
    const limits = { headBytes: '2KiB', headerCount: 10, targetBytes: '300B' };
    const { http, origin } = await start({ listener: { limits } });
    const status = async (request: string) => (await askOnce(http.target, request)).status;
    const filled = (bytes: number) =>
      get('/', `X-Fill: ${'f'.repeat(bytes - get('/', 'X-Fill: \r\n').length)}\r\n`);
    expect(await status(filled(2048))).toBe(200);
    expect(await status(filled(2049))).toBe(431);
    expect(await status(filled(100_000))).toBe(431);
    expect(await status(get('/', 'X-A: b\r\n'.repeat(9)))).toBe(200);
    expect(await status(get('/', 'X-A: b\r\n'.repeat(10)))).toBe(431);
    expect(await status(get(`/${'p'.repeat(299)}`))).toBe(200);
    expect(await status(get(`/${'p'.repeat(300)}`))).toBe(414);
    expect(await status(get(`/${'p'.repeat(70_000)}`))).toBe(414);
    expect(origin.calls).toHaveLength(3);
    const metrics = http.metrics();
    expect(metrics.one('sluice_listener_answers_total', { status: '431' })).toBe(3);
    expect(metrics.one('sluice_listener_answers_total', { status: '414' })).toBe(2);
  });

  it('takes the largest heads there can be, both ways', async () => {
    const limits = { headBytes: '64KiB', headerCount: 256, targetBytes: '64KiB' };
    const large = `X-Large: ${'l'.repeat(64_000)}\r\n`;
    const { http, origin } = await start({ listener: { limits } }, large);
    const client = await openHttp(scene, http.target);
    for (let nth = 0; nth < 3; nth++) {
      const { head, text } = await client.ask(get('/', large));
      expect(text).toBe('x');
      expect(head.one('x-large')).toHaveLength(64_000);
      expect(origin.calls.at(-1)?.head.one('x-large')).toHaveLength(64_000);
    }
    const many = Array.from({ length: 255 }, (_, index) => `X-${index}: v\r\n`).join('');
    expect((await client.ask(get('/', many))).status).toBe(200);
    expect(origin.calls.at(-1)?.head.one('x-254')).toBe('v');
  });
});
