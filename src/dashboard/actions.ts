// What a click changes. Nothing is shown as done before the balancer says so; what it refuses is
// shown in its own words.
import { signal } from '@preact/signals';
import type { AppliedAnswer, BackendPatch, DrainAnswer } from '../admin/api-types.ts';
import { ApiError, ask, backendPath, type Write } from './api.ts';
import { refresh } from './live.ts';
import { link } from './store.ts';

export interface Notice {
  readonly id: number;
  readonly isFailure: boolean;
  readonly what: string;
  readonly text: string;
}

// Keys of what is under way: `pool backend`.
export const pending = signal<ReadonlySet<string>>(new Set());
export const notices = signal<readonly Notice[]>([]);

const shownMs = 5000;
const shownMax = 4;
let noticeId = 0;

export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

// A failure stays until it is dismissed.
function notify(isFailure: boolean, what: string, text: string): void {
  const id = ++noticeId;
  notices.value = [...notices.value, { id, isFailure, what, text }].slice(-shownMax);
  if (!isFailure) setTimeout(() => dismiss(id), shownMs);
}

export const keyOf = (pool: string, backend: string): string => `${pool} ${backend}`;

async function change(key: string, what: string, path: string, write: Write): Promise<boolean> {
  if (pending.value.has(key)) return false;
  pending.value = new Set([...pending.value, key]);
  try {
    await ask<AppliedAnswer | DrainAnswer | undefined>(path, write);
    notify(false, what, 'done');
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) {
      link.value = { state: 'refused', reason: error.message, sinceMs: Date.now() };
    }
    notify(true, what, error instanceof Error ? error.message : String(error));
    return false;
  } finally {
    pending.value = new Set([...pending.value].filter((other) => other !== key));
    refresh();
  }
}

export const drain = (pool: string, backend: string): Promise<boolean> =>
  change(keyOf(pool, backend), `Drain ${backend}`, `${backendPath(pool, backend)}/drain`, {
    method: 'POST',
  });

export const undrain = (pool: string, backend: string): Promise<boolean> =>
  change(keyOf(pool, backend), `Undrain ${backend}`, `${backendPath(pool, backend)}/undrain`, {
    method: 'POST',
  });

export function setWeight(pool: string, backend: string, weight: number): Promise<boolean> {
  const body: BackendPatch = { weight };
  const what = `Weight ${weight} for ${backend}`;
  return change(keyOf(pool, backend), what, backendPath(pool, backend), { method: 'PATCH', body });
}

export const remove = (pool: string, backend: string): Promise<boolean> =>
  change(keyOf(pool, backend), `Remove ${backend}`, backendPath(pool, backend), {
    method: 'DELETE',
  });
