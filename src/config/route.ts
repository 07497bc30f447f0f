// Hosts and path prefixes of routes, as people write them and as requests are compared with them.
// native/proxy/router.cc normalises the paths of requests by the same rules.

const label = /^[a-z0-9_]([a-z0-9_-]{0,62})$/;
export const pathSegmentsMax = 32;
// What the data plane keeps of a path while it looks for its route.
export const pathBytesMax = 2048;

export type Parsed = { readonly value: string } | { readonly expected: string };

const hostExample = "a host name like 'www.example.com', or '*.example.com' for all names below it";

function hostProblem(text: string): string | undefined {
  if (/[^\x20-\x7e]/.test(text)) return 'ASCII: a name in other letters is written xn--…';
  if (/:\d*$/.test(text)) return "a host without a port: the listener's `listen` has the port";
  if (text.endsWith('.')) return 'a host without a closing dot; requests may have one';
  const name = text.startsWith('*.') ? text.slice(2) : text;
  const labels = name.toLowerCase().split('.');
  const fits = name.length <= 253 && labels.every((one) => label.test(one));
  return fits ? undefined : hostExample;
}

// Lower case; a wildcard keeps its star.
export function parseHost(text: string): Parsed {
  const expected = hostProblem(text);
  return expected === undefined ? { value: text.toLowerCase() } : { expected };
}

const unreserved = /[A-Za-z0-9._~-]/;

// RFC 3986: percent-encoded unreserved characters are decoded, the digits of others made upper case
// (6.2.2), then dot segments are removed (5.2.4). Encoded slashes and empty segments stay.
export function normalizePath(path: string): string {
  const decoded = path.replace(/%([0-9A-Fa-f]{2})/g, (code, digits: string) => {
    const letter = String.fromCharCode(Number.parseInt(digits, 16));
    return unreserved.test(letter) ? letter : code.toUpperCase();
  });
  const kept: string[] = [];
  const segments = decoded.split('/').slice(1);
  for (const [index, segment] of segments.entries()) {
    if (segment === '..') kept.pop();
    if (segment !== '.' && segment !== '..') kept.push(segment);
    else if (index === segments.length - 1) kept.push('');
  }
  return `/${kept.join('/')}`;
}

function pathProblem(text: string): string | undefined {
  if (!text.startsWith('/')) return "a path that begins with '/'";
  if (/[?#]/.test(text)) return 'a path without query and fragment';
  if (/[^\x21-\x7e]/.test(text)) return 'visible ASCII: other characters are written %XX';
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return "two hexadecimal digits after each '%'";
  return undefined;
}

// Normalised, without a closing slash, so that `/a/` is `/a`; empty for `/`, which every path has.
export function parsePathPrefix(text: string): Parsed {
  const problem = pathProblem(text);
  if (problem !== undefined) return { expected: problem };
  const value = normalizePath(text).replace(/\/$/, '');
  if (value.length > pathBytesMax) return { expected: `at most ${pathBytesMax} bytes` };
  if (value.split('/').length - 1 > pathSegmentsMax) {
    return { expected: `at most ${pathSegmentsMax} segments` };
  }
  return { value };
}
