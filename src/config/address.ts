// Addresses as people write them: `10.0.0.1:80`, `[2001:db8::1]:80`, `[fe80::1%eth0]:80`,
// `host:80`, `:80`, `unix:/path`, and `fd:3` for listeners.
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Address, IpAddress, ListenTarget, StatedAddress } from '../model/types.ts';

export const addressExpected =
  "an address like '127.0.0.1:8080', '[::1]:8080', 'host:8080', ':8080' or 'unix:/path'";
export const listenExpected = `${addressExpected}, or 'fd:3' for an inherited socket`;

// sun_path holds 108 bytes with its closing zero.
const unixPathMax = 107;
const hostName = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*\.?$/i;

const ipv4Word = (text: string): number =>
  text.split('.').reduce((word, part, index) => (word | (Number(part) << (8 * index))) >>> 0, 0);

// Groups of a valid IPv6 text without scope, as eight numbers.
function ipv6Groups(text: string): number[] {
  const canonical = text.includes('.')
    ? text.replace(/[^:]+$/, (tail) => {
        const word = ipv4Word(tail);
        const group = (low: number, high: number): string => ((low << 8) | high).toString(16);
        const byte = (index: number): number => (word >>> (8 * index)) & 0xff;
        return `${group(byte(0), byte(1))}:${group(byte(2), byte(3))}`;
      })
    : text;
  const [left = '', right] = canonical.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const head = groups(left);
  const tail = right === undefined ? [] : groups(right);
  return [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

function ipv6Words(text: string): readonly [number, number, number, number] {
  const groups = ipv6Groups(text);
  const word = (index: number): number => {
    const [a = 0, b = 0] = groups.slice(index * 2, index * 2 + 2);
    return ((a >>> 8) | ((a & 0xff) << 8) | ((b >>> 8) << 16) | ((b & 0xff) << 24)) >>> 0;
  };
  return [word(0), word(1), word(2), word(3)];
}

// A scope is a number or the name of an interface of this host; undefined when there is none such.
function scopeOf(name: string): number | undefined {
  if (/^[0-9]+$/.test(name)) return Number(name) < 2 ** 32 ? Number(name) : undefined;
  return networkInterfaces()[name]?.find(({ family }) => family === 'IPv6')?.scopeid;
}

// An address of an IP literal; undefined when `host` is none.
export function ipAddress(host: string, port: number): IpAddress | undefined {
  if (isIPv4(host)) {
    return {
      kind: 'ip',
      family: 'ipv4',
      words: [ipv4Word(host), 0, 0, 0],
      scope: 0,
      port,
      text: `${host}:${port}`,
    };
  }
  const [literal = '', zone] = host.split('%');
  const scope = zone === undefined ? 0 : scopeOf(zone);
  if (!isIPv6(literal) || scope === undefined) return undefined;
  const { address } = new SocketAddress({ address: literal, family: 'ipv6' });
  const suffix = zone === undefined ? '' : `%${zone}`;
  return {
    kind: 'ip',
    family: 'ipv6',
    words: ipv6Words(literal),
    scope,
    port,
    text: `[${address}${suffix}]:${port}`,
  };
}

// The host that `:port` stands for: this one for backends, every address for listeners.
export function parseAddress(text: string, anyHost: string): StatedAddress | undefined {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    const bytes = Buffer.byteLength(path);
    if (!path.startsWith('/') || bytes > unixPathMax || path.includes('\0')) return undefined;
    return { kind: 'unix', path, text };
  }
  const found = /^(?:\[([^\]]+)\]|([^:[\]]*)):([0-9]{1,5})$/.exec(text);
  const port = Number(found?.[3] ?? Number.NaN);
  if (found === null || port > 65_535) return undefined;
  const [, bracketed, plain = ''] = found;
  if (bracketed !== undefined) {
    return bracketed.includes(':') ? ipAddress(bracketed, port) : undefined;
  }
  const host = plain === '' ? anyHost : plain;
  if (isIPv4(host)) return ipAddress(host, port);
  // Digits and dots that are no IPv4 address are a mistake, not a name.
  if (!hostName.test(host) || /^[0-9.]+$/.test(host)) return undefined;
  return { kind: 'name', host: host.toLowerCase(), port, text: `${host.toLowerCase()}:${port}` };
}

// A backend cannot have port 0.
export function parseBackendAddress(text: string): StatedAddress | undefined {
  const address = parseAddress(text, '127.0.0.1');
  return address !== undefined && address.kind !== 'unix' && address.port === 0
    ? undefined
    : address;
}

// Port 0 asks the system for a free one.
export function parseListenTarget(text: string): ListenTarget | undefined {
  const inherited = /^fd:([0-9]{1,9})$/.exec(text);
  if (inherited !== null) return { kind: 'descriptors', descriptors: [Number(inherited[1])] };
  const address = parseAddress(text, '0.0.0.0');
  if (address === undefined) return undefined;
  return { kind: 'address', address, everywhere: text.startsWith(':') };
}

export function targetText(target: ListenTarget): string {
  if (target.kind === 'descriptors') return `fd:${target.descriptors.join(',')}`;
  return target.everywhere && target.address.kind !== 'unix'
    ? `:${target.address.port}`
    : target.address.text;
}

// The host of an address; empty for a socket file.
export function hostOf(address: StatedAddress): string {
  if (address.kind === 'name') return address.host;
  if (address.kind === 'unix') return '';
  // `[::1%lo]:80` without brackets and port.
  return address.text.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
}

// Whether only this machine can connect to it.
export const isLoopback = (address: StatedAddress): boolean =>
  /^127\.|^::1$|^::ffff:127\.|^localhost$/i.test(hostOf(address));

export const isResolved = (address: StatedAddress): address is Address => address.kind !== 'name';
