// A configuration as a program: a TypeScript or JavaScript file whose default export is the
// configuration, or a function that returns it. It is run anew each time, with what it imports by
// relative paths; nothing of an earlier run is kept.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Issue, reasonOf } from '../errors.ts';
import { defineConfig } from './define.ts';
import { type Document, type Position, unreadable } from './document.ts';
import { domains, routeDomain } from './domains.ts';
import { jsonSchema } from './json-schema.ts';

const extensions = ['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs'];

export const isModule = (path: string): boolean => extensions.includes(extname(path));

// What `import … from 'sluice'` gives to a configuration, wherever sluice is installed.
const sluice = { defineConfig, domains, jsonSchema, routeDomain };

interface Place extends Position {
  readonly file: string;
}

// The first place of a stack, or of a syntax error, that is a file of the user's.
export function placeOf(error: unknown): Place | undefined {
  const text = error instanceof Error ? (error.stack ?? error.message) : '';
  for (const [, stated = '', line, column] of text.matchAll(
    /(?:^|[\s(])((?:file:\/\/)?\/[^\n():]+):(\d+):(\d+)/gm,
  )) {
    const file = stated.startsWith('file:') ? fileURLToPath(stated) : stated;
    if (file.includes('/node_modules/') || !isModule(file) || !existsSync(file)) continue;
    // Columns of syntax errors are counted from 0 by the parser.
    const isSyntax = text.includes('ParseError:');
    return { file, line: Number(line), column: Number(column) + Number(isSyntax) };
  }
  return undefined;
}

// The first lines of jiti's syntax errors are the reason and the place.
function firstLine(error: unknown): string {
  const [line = ''] = reasonOf(error).split('\n');
  return line.trim().replace(/^ParseError:\s*/, 'syntax error: ');
}

function failed(path: string, cause: unknown): never {
  const place = placeOf(cause);
  const message = firstLine(cause);
  const issue: Issue = { path: '', value: undefined, expected: 'a program that runs', message };
  if (place === undefined) throw unreadable(path, message, { cause });
  const { file, line, column } = place;
  const issues = [file === resolve(path) ? { ...issue, line, column } : { ...issue, ...place }];
  throw unreadable(path, `${message} at ${file}:${line}:${column}`, { cause, issues });
}

// `module.exports` of CommonJS is the default export.
function exportOf(exported: unknown): unknown {
  const { __esModule: isModern, default: standard } = (exported ?? {}) as Record<string, unknown>;
  return isModern === true || standard !== undefined ? standard : exported;
}

// Throws ERR_SLUICE_CONFIG_FILE with the place where the program failed.
export async function runModule(path: string): Promise<Document> {
  const file = resolve(path);
  if (!existsSync(file)) throw unreadable(path, 'ENOENT: there is no such file');
  const { createJiti } = await import('jiti');
  const jiti = createJiti(import.meta.url, {
    moduleCache: false,
    fsCache: false,
    interopDefault: false,
    virtualModules: { sluice },
  });
  const { cache } = createRequire(file);
  const before = new Set(Object.keys(cache));
  let input: unknown;
  try {
    // Not by `import`, which would keep JavaScript for good.
    const exported = exportOf(jiti(file) as unknown);
    input = typeof exported === 'function' ? await exported() : exported;
  } catch (error) {
    return failed(path, error);
  } finally {
    // JSON and CommonJS were loaded by Node itself.
    for (const one of Object.keys(cache)) {
      if (!before.has(one) && !one.includes('/node_modules/')) delete cache[one];
    }
  }
  if (input === undefined) {
    throw unreadable(
      path,
      'expected a default export: a configuration, or a function returning one',
    );
  }
  return { input, locate: () => undefined };
}
