// Tells when a file has changed, however that is done: written in place, replaced by another of its
// name, or reached by a symbolic link that now leads elsewhere, in any folder on its way (as
// Kubernetes mounts do with `..data`). Events of the folders make it quick; looking at the file
// from time to time makes it certain, where a file system has no events or the system no more
// watches.
import { type FSWatcher, lstatSync, readlinkSync, type Stats, statSync, watch } from 'node:fs';
import { dirname, join, parse, resolve, sep } from 'node:path';

export interface WatchOptions {
  // Called once for each change, when it has come to rest.
  readonly changed: () => void;
  // Called when the file has been missing for a while; it is waited for.
  readonly missing: () => void;
  // How long a change must have come to rest.
  readonly settleMs?: number;
  readonly pollMs?: number;
}

// One look for a burst of events.
const gatherMs = 10;
const linksMax = 40;
// Longer than a program takes to put a new file in the place of one it has removed.
const missingMs = 2000;

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function linkOf(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}

// The folders whose entries decide which file a path leads to: those that hold a link on the way,
// and the one that holds the file.
export function foldersOf(path: string): string[] {
  const folders = new Set<string>();
  let left = resolve(path).split(sep).filter(Boolean);
  let at = parse(resolve(path)).root;
  for (let links = 0; left.length > 0; ) {
    const [name = '', ...rest] = left;
    const next = join(at, name);
    const target = links < linksMax ? linkOf(next) : undefined;
    if (target !== undefined || rest.length === 0) folders.add(at);
    left = rest;
    if (target === undefined) at = next;
    else {
      links++;
      const led = resolve(at, target);
      left = [...led.split(sep).filter(Boolean), ...rest];
      at = parse(led).root;
    }
  }
  folders.add(dirname(resolve(path)));
  return [...folders];
}

// Equal when it is the same file with the same content; undefined when there is none.
function fingerprint(path: string): string | undefined {
  const found = statOf(path);
  if (found === undefined) return undefined;
  const { dev, ino, size, mtimeMs, ctimeMs } = found;
  return [dev, ino, size, mtimeMs, ctimeMs].join(' ');
}

export class FileWatch {
  readonly #path: string;
  readonly #options: Required<WatchOptions>;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #poll: NodeJS.Timeout;
  #looking: NodeJS.Timeout | undefined;
  #settling: NodeJS.Timeout | undefined;
  // Of the content that was told of last, and of the last look.
  #told: string | undefined;
  #seen: string | undefined;
  #missingSince: number | undefined;

  // What the file is now counts as known.
  constructor(path: string, { changed, missing, settleMs = 100, pollMs = 2000 }: WatchOptions) {
    this.#path = path;
    this.#options = { changed, missing, settleMs, pollMs };
    this.#told = fingerprint(path);
    this.#seen = this.#told;
    this.#poll = setInterval(() => this.#look(), pollMs).unref();
    this.#follow();
  }

  // Whoever reads the file for another reason need not be told of what it is now.
  known(): void {
    this.#told = fingerprint(this.#path);
    this.#seen = this.#told;
  }

  close(): void {
    clearInterval(this.#poll);
    clearTimeout(this.#looking);
    clearTimeout(this.#settling);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  // Watches the folders that count now. One that cannot be watched is looked at by the poll.
  #follow(): void {
    const wanted = new Set(foldersOf(this.#path));
    for (const [folder, watcher] of this.#watchers) {
      if (wanted.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of wanted) {
      if (this.#watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#lookSoon());
        watcher.on('error', () => this.#drop(folder));
        this.#watchers.set(folder, watcher);
      } catch {
        // The poll remains.
      }
    }
  }

  #drop(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }

  #lookSoon(): void {
    this.#looking ??= setTimeout(() => {
      this.#looking = undefined;
      this.#look();
    }, gatherMs).unref();
  }

  #look(): void {
    const now = fingerprint(this.#path);
    const moved = now !== this.#seen;
    this.#seen = now;
    this.#noteMissing(now === undefined);
    if (now === this.#told) {
      clearTimeout(this.#settling);
      this.#settling = undefined;
    } else if (moved || this.#settling === undefined) this.#settle();
  }

  #settle(): void {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => {
      this.#settling = undefined;
      const now = fingerprint(this.#path);
      if (now !== this.#seen) return this.#look();
      this.#follow();
      if (now === undefined || now === this.#told) return;
      this.#told = now;
      this.#options.changed();
    }, this.#options.settleMs).unref();
  }

  #noteMissing(isMissing: boolean): void {
    if (!isMissing) this.#missingSince = undefined;
    else if (this.#missingSince === undefined) this.#missingSince = performance.now();
    else if (performance.now() - this.#missingSince > missingMs) {
      this.#missingSince = Number.POSITIVE_INFINITY;
      this.#options.missing();
    }
  }
}
