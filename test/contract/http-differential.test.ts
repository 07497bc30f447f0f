// Our HTTP/1 parser and Node's read the same messages. They may differ only as the table says, and
// each row says why; a difference that no row covers is a fault of one of them.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { nodeServer, type Reading, readRequest, readResponse } from '../fixtures/node-parser.ts';
import { root } from '../fixtures/scene.ts';

const seeds = '1..20000';
const fuzz = join(root, 'build/native/plain/http_fuzz');

interface Ours extends Reading {
  readonly end?: number; // of the message within the bytes
}

interface Case {
  readonly kind: string;
  readonly text: string; // as latin1
  readonly ours: Ours;
  readonly node: Reading;
}

interface Difference {
  readonly reason: string;
  readonly ours?: Reading['verdict'];
  readonly why?: string; // our reason to refuse
  readonly kind?: 'request' | 'response';
  readonly node?: RegExp; // Node's code; without it Node does not refuse
  readonly text?: RegExp; // the message
}

// `chunked` with blanks behind it.
const blankAfterChunked = /^transfer-encoding:[ \t]*chunked[ \t]+\r$/im;

const trailerNames = [
  'content-length|transfer-encoding|trailer|te|host|via|date|expect|cookie|set-cookie',
  'connection|keep-alive|upgrade|proxy-authorization|forwarded|x-forwarded-for',
].join('|');
const forbiddenTrailer = new RegExp(`\\r\\n0+(;.*)?\\r\\n(.*\\r\\n)*(${trailerNames}):`, 'i');
const upgradeWithBody = new RegExp(
  [
    '^(?=[\\s\\S]*^connection:.*upgrade)(?=[\\s\\S]*^upgrade:)',
    '[\\s\\S]*^(transfer-encoding|content-length):',
  ].join(''),
  'im',
);

const weRefuse: readonly Omit<Difference, 'ours'>[] = [
  {
    why: 'HTTP version not supported',
    reason: 'RFC 9112 2.3: only HTTP/1.0 and 1.1 are spoken here, the rest is answered with 505',
  },
  {
    why: 'Host differs from the target',
    reason: 'RFC 9112 3.2.2: a sender makes both equal; who reads which decides the route',
  },
  { why: 'Host stands twice', reason: 'RFC 9112 3.2: must be answered with 400' },
  { why: 'malformed Host', reason: 'RFC 9112 3.2: an invalid value must be answered with 400' },
  {
    why: 'Transfer-Encoding in HTTP/1.0',
    reason: 'RFC 9112 6.1: such a message must be treated as if its framing is faulty',
  },
  {
    why: 'Transfer-Encoding other than chunked',
    reason: 'RFC 9112 6.1 and 6.3: without chunked as the only coding the length is not sure',
  },
  {
    why: 'field value not allowed',
    text: /^connection:/im,
    reason: 'RFC 9110 7.6.1: Connection must not name what the next recipient decides by',
  },
  {
    why: 'malformed or repeated Content-Length',
    text: /^content-length:[ \t]*\d{19,}/im,
    reason: 'RFC 9110 8.6: a recipient must not overflow; lengths end at 2^63 - 1 here',
  },
  {
    why: 'malformed request line',
    text: /^(\r\n){5}/,
    reason: 'RFC 9112 2.2: at least one empty line is passed over; four are enough',
  },
  {
    kind: 'request',
    why: 'malformed request target',
    text: /^\s*\S+ (\S*#|\*|https?:\/\/|[^/]|\S*[\x80-\xff])/i,
    reason: 'RFC 9112 3.2: fragments, bytes above ASCII and other forms are no request targets',
  },
  { why: 'too many fields', reason: 'RFC 9110 5.4: a limit, answered with 431' },
  { why: 'head too large', reason: 'RFC 9110 5.4: a limit, answered with 431' },
  { why: 'request target too long', reason: 'RFC 9110 4.1: a limit, answered with 414' },
  {
    why: 'trailer not allowed',
    text: forbiddenTrailer,
    reason: 'RFC 9110 6.5.1: a trailer must not carry what frames, routes or authenticates',
  },
  {
    why: 'unknown expectation',
    reason: 'RFC 9110 10.1.1: 417 for any expectation but 100-continue, in any line and version',
  },
  { why: 'chunk extension too long', reason: 'RFC 9112 7.1.1: a recipient should limit them' },
  {
    why: 'malformed chunk size',
    text: /[0-9a-f]{16}/i,
    reason: 'RFC 9112 7.1: a recipient must expect large sizes; they end at 2^62 here',
  },
  {
    kind: 'response',
    why: 'malformed status line',
    text: /^HTTP\/1\.[01] \d{3} [^\r\n]*[^\t\r\n -~\x80-\xff]/,
    reason: 'RFC 9112 4: a reason phrase has no control bytes',
  },
  {
    kind: 'response',
    why: 'malformed status line',
    text: /^HTTP\/1\.[01] 0\d\d/,
    reason: 'RFC 9110 15: a status is 100 to 599; what is above is passed on, not what is below',
  },
  {
    kind: 'response',
    why: 'malformed status line',
    text: /^\r?\n/,
    reason: 'RFC 9112 2.2: empty lines are passed over before requests only',
  },
  {
    kind: 'request',
    why: 'malformed request line',
    text: /^\s*\S+ \S+\r\n/,
    reason: 'RFC 9112 3: a request line names a version; HTTP/0.9 is not spoken here',
  },
  {
    kind: 'request',
    why: 'malformed version',
    text: /^\s*\S+ \S+ {2,}HTTP/,
    reason: 'RFC 9112 3: one blank stands before the version',
  },
  {
    why: 'CONNECT',
    reason: 'RFC 9110 9.3.6: no tunnels to where the client likes; Node waits for its handler',
  },
  {
    kind: 'request',
    why: 'CR or LF alone',
    text: /^(\r\n)*(\n|\r[^\n])|^\s*\S+ \S+\n/,
    reason: 'RFC 9112 2.2: the empty lines before a request, and the line itself, end with CRLF',
  },
];

const differences: readonly Difference[] = [
  ...weRefuse.map((row): Difference => ({ ours: 'refused', ...row })),
  // Node reads such an answer to the end of the connection, whatever we find in the chunks.
  {
    kind: 'response',
    text: blankAfterChunked,
    reason: 'RFC 9110 5.5: blanks around a value are not part of it, so this is chunked',
  },
  {
    node: /^HPE_INVALID_TRANSFER_ENCODING$/,
    text: blankAfterChunked,
    reason: 'RFC 9110 5.5: blanks around a value are not part of it, so this is chunked',
  },
  {
    kind: 'request',
    text: upgradeWithBody,
    reason:
      'RFC 9110 7.8: the body of a request comes before the switch; Node forgets the body. ' +
      'With a body Upgrade is not sent on',
  },
  {
    ours: 'incomplete',
    node: /^HPE_INVALID_CONTENT_LENGTH$/,
    reason: 'a field is judged when its line has ended, and this one never does',
  },
  {
    ours: 'accepted',
    node: /^HPE_INVALID_VERSION$/,
    text: /^\s*PRI /,
    reason: 'RFC 9113 3.4: what it reserves is the whole line with HTTP/2.0, not the method',
  },
  {
    node: /^HPE_INVALID_METHOD$/,
    reason: 'RFC 9110 9.1: methods are an open set; what one means is for the backend to say',
  },
  {
    node: /^HPE_/,
    text: /^[0-9a-f]+([ \t]+;|;[ \t]*\r|;[^\r]*[^!-~\r])/im,
    reason: 'RFC 9112 7.1.1: blanks around `;` are parsed; extensions are taken out, not on',
  },
];

const isRefusal = ({ verdict }: Reading): boolean => verdict === 'refused';

function agree({ ours, node }: Case): boolean {
  if (ours.verdict !== node.verdict) return false;
  if (ours.verdict !== 'accepted') return true;
  const whole = node.messages === 1 && node.why === '';
  const fields = JSON.stringify(ours.fields) === JSON.stringify(node.fields);
  return whole && fields && ours.start === node.start && ours.body === node.body;
}

function isListed(found: Case): boolean {
  const { kind, text, ours, node } = found;
  return differences.some(
    (row) =>
      (row.ours === undefined || row.ours === ours.verdict) &&
      (row.why === undefined || row.why === ours.why) &&
      (row.kind === undefined || row.kind === kind) &&
      (row.text === undefined || row.text.test(text)) &&
      (row.node === undefined
        ? !isRefusal(node)
        : isRefusal(node) && row.node.test(node.why ?? '')),
  );
}

async function readAll(): Promise<Case[]> {
  const limits = { maxBuffer: 1 << 28 };
  const written = execFileSync(fuzz, ['--write', seeds], limits);
  const judged = execFileSync(fuzz, ['--judge'], { ...limits, input: written });
  const server = nodeServer();
  const cases: Case[] = [];
  let at = 0;
  for (const line of judged.toString().trim().split('\n')) {
    const ours = JSON.parse(line) as Ours;
    const start = written.indexOf('\n', at) + 1;
    const [kind = '', bytes] = written.toString('latin1', at, start - 1).split(' ');
    at = start + Number(bytes);
    // Where we say a message ends, Node must find exactly one.
    const message = written.subarray(start, ours.end === undefined ? at : start + ours.end);
    const node = await (kind === 'request' ? readRequest(server, message) : readResponse(message));
    cases.push({ kind, text: message.toString('latin1'), ours, node });
  }
  return cases;
}

beforeAll(() => {
  const make = ['-C', join(root, 'test/native'), '-j2', '--quiet', 'VARIANT=plain', 'http_fuzz'];
  execFileSync('make', make, { stdio: 'inherit' });
}, 300_000);

it('reads messages as Node does, but for the listed differences', async () => {
  const cases = await readAll();
  const unlisted = cases.filter((found) => !agree(found) && !isListed(found));
  const quoted = unlisted.map(({ kind, text, ours, node }) => {
    const verdicts = { ours: { ...ours, fields: [] }, node: { ...node, fields: [] } };
    return `${kind} ${JSON.stringify(text.slice(0, 2000))}\n${JSON.stringify(verdicts)}`;
  });
  expect(quoted.join('\n\n')).toBe('');
  for (const kind of ['request', 'response']) {
    const agreed = cases.filter((found) => found.kind === kind && agree(found));
    const accepted = agreed.filter(({ ours }) => ours.verdict === 'accepted').length;
    expect(accepted).toBeGreaterThan(cases.length / 10);
    expect(agreed.length - accepted).toBeGreaterThan(cases.length / 10);
  }
}, 120_000);
