// The file that tells others which process serves.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

// Replaces what is there, in one step. Throws the system's error.
export function writePidfile(path: string, pid: number): void {
  const fresh = `${path}.${pid}`;
  try {
    writeFileSync(fresh, `${pid}\n`);
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}

// Leaves the file of another process, and what cannot be removed.
export function removePidfile(path: string, pid: number): void {
  try {
    if (readFileSync(path, 'utf8').trim() === String(pid)) rmSync(path);
  } catch {
    // It is gone, or the folder has become read only: the process ends either way.
  }
}
