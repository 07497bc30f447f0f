// The file that keeps what was changed at run time. It is replaced whole: whenever the process or
// the machine ends, the file says what it said before or what it says now, nothing between. Who is
// told that a change is made has it in the file.
import { open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { reasonOf, SluiceError } from '../errors.ts';
import type { OverridesDocument } from '../providers/overrides.ts';

const failed = (path: string, cause: unknown): SluiceError =>
  new SluiceError('ERR_SLUICE_STATE_FILE', { path, reason: reasonOf(cause) }, { cause });

// What the file holds; undefined when there is none. Throws ERR_SLUICE_STATE_FILE.
export async function readState(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw failed(path, cause);
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw failed(path, cause);
  }
}

// rename(2) replaces the file in one step; the data is on disk before, the name after it.
export async function replaceFile(path: string, text: string): Promise<void> {
  const made = `${path}.${process.pid}.new`;
  try {
    const file = await open(made, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(made, path);
  } catch (error) {
    await unlink(made).catch(() => {});
    throw error;
  }
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

// What is kept, and a number that grows with each change of it.
export interface Kept {
  readonly version: number;
  document(): OverridesDocument;
}

export class StateFile {
  readonly path: string;
  readonly #kept: Kept;
  #written: number;
  #writing: Promise<void> | undefined;

  // What `kept` holds now is in the file.
  constructor(path: string, kept: Kept) {
    this.path = path;
    this.#kept = kept;
    this.#written = kept.version;
  }

  // Resolves when everything changed before the call is in the file. Calls at the same time share
  // what is written. Throws ERR_SLUICE_STATE_FILE; the change itself is then in force all the same.
  async save(): Promise<void> {
    const wanted = this.#kept.version;
    while (this.#written < wanted) {
      this.#writing ??= this.#write().finally(() => {
        this.#writing = undefined;
      });
      await this.#writing;
    }
  }

  async #write(): Promise<void> {
    const { version } = this.#kept;
    try {
      await replaceFile(this.path, `${JSON.stringify(this.#kept.document(), null, 2)}\n`);
    } catch (cause) {
      throw failed(this.path, cause);
    }
    this.#written = Math.max(this.#written, version);
  }
}
