// Where things are in a checkout, and how its scripts walk files and fingerprint them.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');

export const inRoot = (path: string): string => join(root, path);

export const readText = (path: string): string => readFileSync(inRoot(path), 'utf8');

// Files below `folder` with one of the endings, as sorted paths relative to the root.
export function listFiles(folder: string, endings: readonly string[]): string[] {
  const top = inRoot(folder);
  if (!existsSync(top)) return [];
  return readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.split('/').includes('node_modules'))
    .sort();
}

// One hash over files and folders (relative to the root) and any further facts. Contents rather
// than times: a checkout gives every file a new time.
export function fingerprint(paths: readonly string[], facts: readonly string[] = []): string {
  const hash = createHash('sha256');
  for (const path of paths) {
    const full = inRoot(path);
    if (!existsSync(full)) continue;
    const files = statSync(full).isDirectory() ? listFiles(path, ['']) : [path];
    for (const file of files) hash.update(`${file}\0`).update(readFileSync(inRoot(file)));
  }
  return hash.update(JSON.stringify(facts)).digest('hex');
}
