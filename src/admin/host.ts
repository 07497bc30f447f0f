// The defence against DNS rebinding: a web page may make its visitor's browser ask a loopback
// address under a name that the page's owner controls. Such a request carries that name as its
// host, so a loopback listener answers only hosts that no stranger can point somewhere:
// `localhost` and its subdomains, and IP addresses.
import { isIP } from 'node:net';

// The name of `name:port`, `[::1]:port` or `name`; undefined when it is neither.
function nameOf(host: string): string | undefined {
  const found = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/.exec(host);
  return (found?.[1] ?? found?.[2])?.toLowerCase();
}

// Requests of HTTP/1.0 without a host come from no browser.
export function isSafeHost(host: string | undefined): boolean {
  if (host === undefined) return true;
  const name = nameOf(host);
  if (name === undefined) return false;
  return isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost');
}

// Browsers name the page that makes them write. Only our own page may: an origin of the host that
// was asked, and nobody who hides it (`null`). Programs send neither field.
export function isSameOrigin(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): boolean {
  const { origin, host, 'sec-fetch-site': site } = headers;
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
  if (origin === undefined) return true;
  if (typeof origin !== 'string' || typeof host !== 'string') return false;
  const authority = /^https?:\/\/([^/]+)$/i.exec(origin)?.[1];
  return authority?.toLowerCase() === host.toLowerCase();
}
