// Opens the sockets of listeners. What is opened here belongs to the workers once it is published;
// what is never published is closed here.
import { statSync, unlinkSync } from 'node:fs';
import type { Fleet, SocketAddress } from '../addon/fleet.ts';
import { reasonOf, SluiceError } from '../errors.ts';
import type { Changes } from '../model/diff.ts';
import { limits } from '../model/limits.ts';
import type { Listener, StatedAddress } from '../model/types.ts';
import type { Bound, OpenedListener } from './records.ts';

// The kernel lowers it to net.core.somaxconn.
const backlog = 4096;

type Sockets = Pick<Fleet, 'listen' | 'inherit' | 'closeDescriptors'>;

const unspecified: readonly [number, number, number, number] = [0, 0, 0, 0];

function socketAddress(address: StatedAddress): SocketAddress {
  if (address.kind === 'name') throw new TypeError(`${address.text} was not resolved`);
  if (address.kind === 'unix') {
    return { family: 'unix_socket', words: unspecified, scope: 0, port: 0, path: address.path };
  }
  const { family, words, scope, port } = address;
  return { family, words, scope, port, path: '' };
}

function inodeOf(path: string): bigint | undefined {
  try {
    return statSync(path, { bigint: true }).ino;
  } catch {
    return undefined;
  }
}

function hostOf(address: StatedAddress): string {
  if (address.kind !== 'ip') return '';
  return address.text.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
}

// Where the system has no IPv6 the IPv4 sockets are all there is.
const hasNoIpv6 = (error: unknown): boolean =>
  ['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EPROTONOSUPPORT'].includes(
    String((error as { code?: unknown }).code),
  );

function openAddress(
  sockets: Sockets,
  address: StatedAddress,
  everywhere: boolean,
  workers: number,
): OpenedListener {
  const wanted = socketAddress(address);
  const { descriptors, port } = sockets.listen(wanted, workers, backlog);
  if (address.kind === 'unix') {
    const bound: Bound = { path: address.path };
    return { descriptors, family: 'unix_socket', bound, inode: inodeOf(address.path) };
  }
  const family = wanted.family === 'ipv6' ? 'ipv6' : 'ipv4';
  const opened = { family, bound: { host: hostOf(address), port }, inode: undefined } as const;
  if (!everywhere) return { ...opened, descriptors };
  try {
    const also: SocketAddress = { ...wanted, family: 'ipv6', words: unspecified, port };
    const more = sockets.listen(also, workers, backlog).descriptors;
    return { ...opened, descriptors: [...descriptors, ...more] };
  } catch (error) {
    if (hasNoIpv6(error)) return { ...opened, descriptors };
    sockets.closeDescriptors(descriptors);
    throw error;
  }
}

function inheritSockets(sockets: Sockets, descriptors: readonly number[]): OpenedListener {
  const { family, port, address } = sockets.inherit(descriptors);
  const unix = family !== 'ipv4' && family !== 'ipv6';
  return {
    descriptors,
    family: unix ? 'unix_socket' : family,
    bound: unix ? { path: address } : { host: address, port },
    inode: undefined,
  };
}

// Throws ERR_SLUICE_LISTEN with the system's error as cause.
function open(sockets: Sockets, listener: Listener, workers: number): OpenedListener {
  const { target } = listener;
  try {
    return target.kind === 'descriptors'
      ? inheritSockets(sockets, target.descriptors)
      : openAddress(sockets, target.address, target.everywhere, workers);
  } catch (cause) {
    const details = {
      address: listener.targetText,
      listener: `listeners.${listener.name}`,
      reason: reasonOf(cause),
    };
    throw new SluiceError('ERR_SLUICE_LISTEN', details, { cause });
  }
}

const listensElsewhere = ({ before, after }: Changes['listenersChanged'][number]): boolean =>
  before.targetText !== after.targetText;

// Sockets that change hands: the listener that takes them over, and the one that has them now. They
// stay open, with their slot and their counters.
export function takenOver(changes: Changes): Map<string, string> {
  const moving = changes.listenersChanged.filter(listensElsewhere);
  const given = [...changes.listenersRemoved, ...moving.map(({ before }) => before)];
  const holders = new Map(given.map(({ targetText, name }) => [targetText, name]));
  const taking = [...changes.listenersAdded, ...moving.map(({ after }) => after)];
  return new Map(
    taking.flatMap(({ name, targetText }) => {
      const holder = holders.get(targetText);
      return holder === undefined ? [] : [[name, holder] as const];
    }),
  );
}

// Names of listeners whose sockets end.
export function ending(changes: Changes, taken: ReadonlyMap<string, string>): string[] {
  const kept = new Set(taken.values());
  return [
    ...changes.listenersRemoved,
    ...changes.listenersChanged.filter(listensElsewhere).map(({ before }) => before),
  ]
    .map(({ name }) => name)
    .filter((name) => !kept.has(name));
}

// Opens what is new or listens elsewhere: all of it or, when one fails, none. `inUse`: descriptors
// that stay open besides.
export function openListeners(
  sockets: Sockets,
  changes: Changes,
  taken: ReadonlyMap<string, string>,
  workers: number,
  inUse: number,
): Map<string, OpenedListener> {
  const wanted = [
    ...changes.listenersAdded,
    ...changes.listenersChanged.filter(listensElsewhere).map(({ after }) => after),
  ].filter(({ name }) => !taken.has(name));
  const opened = new Map<string, OpenedListener>();
  let count = inUse;
  try {
    for (const listener of wanted) {
      const made = open(sockets, listener, workers);
      opened.set(listener.name, made);
      count += made.descriptors.length;
      if (count > limits.descriptorsMax) {
        const available = limits.descriptorsMax;
        const details = { what: 'listening sockets', wanted: count, available };
        throw new SluiceError('ERR_SLUICE_LIMIT', details);
      }
    }
  } catch (error) {
    closeListeners(sockets, opened.values(), wanted);
    throw error;
  }
  return opened;
}

// Closes sockets that were never published; inherited ones stay their maker's.
export function closeListeners(
  sockets: Sockets,
  opened: Iterable<OpenedListener>,
  listeners: readonly Listener[],
): void {
  const inherited = new Set(
    listeners.flatMap(({ target }) => (target.kind === 'descriptors' ? target.descriptors : [])),
  );
  for (const one of opened) {
    sockets.closeDescriptors(one.descriptors.filter((fd) => !inherited.has(fd)));
    removeSocketFile(one);
  }
}

// Removes the file of a Unix listener that has ended, unless somebody has made another one there.
export function removeSocketFile({ bound, inode }: OpenedListener): void {
  if (!('path' in bound) || inode === undefined || inodeOf(bound.path) !== inode) return;
  try {
    unlinkSync(bound.path);
  } catch {
    // It is gone, or the directory is not ours any more: nothing depends on it.
  }
}
