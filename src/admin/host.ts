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

export function isLoopback(address: string): boolean {
  return /^127\.|^::1$|^::ffff:127\.|^localhost$/i.test(address);
}

// Requests of HTTP/1.0 without a host come from no browser.
export function isSafeHost(host: string | undefined): boolean {
  if (host === undefined) return true;
  const name = nameOf(host);
  if (name === undefined) return false;
  return isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost');
}
