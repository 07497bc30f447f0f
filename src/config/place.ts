// Where containers ask to be reached: on a listener by its name, or on an address, where one is
// opened when nobody has it. Pure.

import type { AttachedRoutes, ListenTarget } from '../model/types.ts';
import { isResolved, parseListenTarget, targetText } from './address.ts';
import { defaults } from './defaults.ts';

export interface ListenPlace {
  // `web`, `:80`, `10.0.0.1:80`; equal when it is the same place.
  readonly text: string;
  readonly on: AttachedRoutes['on'];
}

export const placeExpected =
  "the name of a listener, a port like '80', or an address like '10.0.0.1:80'";
const listenerName = /^[A-Za-z][\w.-]{0,62}$/;

export function placeAt(target: ListenTarget): ListenPlace {
  const text = targetText(target);
  const name = `docker${text.startsWith(':') ? '' : ':'}${text}`;
  const listener = {
    name,
    target,
    targetText: text,
    mode: 'http',
    routes: [],
    maxConnections: 0,
    idleTimeoutMs: defaults.http.tunnelIdleTimeoutMs,
    http: defaults.http,
  } as const;
  return { text, on: { kind: 'open', listener } };
}

// Names begin with a letter here, so that a port is never one.
export function placeOf(text: string): ListenPlace | { readonly expected: string } {
  if (listenerName.test(text)) return { text, on: { kind: 'name', listener: text } };
  const target = parseListenTarget(/^[0-9]{1,5}$/.test(text) ? `:${text}` : text);
  const usable =
    target?.kind === 'address' &&
    isResolved(target.address) &&
    (target.address.kind === 'unix' || target.address.port > 0) &&
    !text.includes('@');
  return usable ? placeAt(target) : { expected: placeExpected };
}

// How a place is written, whoever wrote it; what is none stays as it is.
export function placeText(text: string): string {
  const place = placeOf(text);
  return 'on' in place ? place.text : text;
}
