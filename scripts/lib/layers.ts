// Who may include or import whom: the two tables, and the rules that go with them. Pure: paths and
// texts in, complaints out.
import { posix } from 'node:path';
import { blank } from './source-text.ts';

// A room of native/ may include itself and these.
export const nativeRooms: Readonly<Record<string, readonly string[]>> = {
  base: [],
  shm: ['base'],
  io: ['base'],
  http: ['base'],
  tls: ['base'],
  log: ['base', 'shm'],
  balance: ['base', 'shm'],
  upstream: ['base', 'shm', 'io', 'tls', 'http'],
  proxy: ['base', 'shm', 'io', 'tls', 'http', 'log', 'balance', 'upstream'],
  worker: ['base', 'shm', 'io', 'tls', 'http', 'log', 'balance', 'upstream', 'proxy'],
  // The verbs that open sockets are io's; everything else goes through the fleet.
  napi: ['base', 'shm', 'io', 'log', 'worker'],
};

// A folder (or top-level file) of src/ may import itself and these; `folder/file` allows that one
// file only.
export const sourceFolders: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  log: [],
  model: ['errors', 'shm/schema'],
  config: ['model', 'errors', 'log'],
  health: ['model', 'errors', 'log'],
  providers: ['config', 'model', 'errors', 'log'],
  shm: ['model', 'errors'],
  addon: ['errors', 'shm/layout.gen'],
  metrics: ['shm/read', 'shm/layout.gen', 'model', 'errors'],
  control: ['model', 'providers', 'health', 'shm', 'addon', 'errors', 'log'],
  // Bodies are written in the language of configurations.
  admin: [
    'control',
    'metrics',
    'config',
    'model',
    'shm/read',
    'shm/histogram',
    'shm/layout.gen',
    'errors',
    'log',
  ],
  dashboard: ['admin/api-types'],
};

// These connect the parts, so they see all of them but the browser's code.
const wiring = ['index', 'balancer', 'start', 'main', 'cli'];

// Headers that belong to one room.
const ownedHeaders: readonly (readonly [RegExp, string])[] = [
  [/^linux\/io_uring\.h$|^sys\/epoll\.h$|^liburing/, 'io'],
  [/^(?:js_)?n(?:ode_)?api(?:_types)?\.h$|^napi\.h$|^napi-inl\.h$|^v8|^uv\.h$|^node\.h$/, 'napi'],
  [/^openssl\//, 'tls'],
];

interface Reference {
  readonly line: number;
  readonly target: string;
  readonly system: boolean; // <angle brackets>
}

function includesOf(text: string): Reference[] {
  const code = blank(text, 'cpp', 'literals');
  return code.split('\n').flatMap((line, index) => {
    const found = /^\s*#\s*include\s*(["<])([^">]+)[">]/.exec(line);
    if (found === null) return [];
    return [{ line: index + 1, target: found[2] ?? '', system: found[1] === '<' }];
  });
}

// Static and dynamic imports, re-exports, and `import type`.
function importsOf(text: string): Reference[] {
  const code = blank(text, 'ts', 'literals');
  const rule = /\b(?:from|import|require)\s*\(?\s*(['"])([^'"\n]+)\1/g;
  return [...code.matchAll(rule)].map((found) => ({
    line: code.slice(0, found.index).split('\n').length,
    target: found[2] ?? '',
    system: false,
  }));
}

function checkInclude(room: string, { target, system }: Reference): string | undefined {
  const owner = ownedHeaders.find(([rule]) => rule.test(target))?.[1];
  if (owner !== undefined && owner !== room) return `only native/${owner} includes <${target}>`;
  if (system) return undefined;
  const other = target.split('/')[0] ?? '';
  if (owner === room) return undefined;
  if (!target.includes('/') || target.startsWith('.')) {
    return `"${target}": includes are written "room/file.h"`;
  }
  if (other === room || nativeRooms[room]?.includes(other)) return undefined;
  return `native/${room} may not include "${target}"`;
}

export function checkNative(path: string, text: string): string[] {
  const room = path.split('/')[1] ?? '';
  if (nativeRooms[room] === undefined) return [`${path}: native/${room} is not in the table`];
  return includesOf(text).flatMap((reference) => {
    const wrong = checkInclude(room, reference);
    return wrong === undefined ? [] : [`${path}:${reference.line}: ${wrong}`];
  });
}

// `src/config/load.ts` is config/load in folder config; `src/log.ts` is log in folder log.
function place(path: string): { folder: string; file: string } {
  const file = path.replace(/^src\//, '').replace(/\.[cm]?[jt]sx?$/, '');
  return { folder: file.split('/')[0] ?? '', file };
}

function checkImport(from: string, path: string, { target }: Reference): string | undefined {
  const loads = target === 'node-gyp-build' || target.endsWith('.node');
  if (loads && from !== 'addon') return 'only src/addon loads the addon';
  if (!target.startsWith('.')) return undefined;
  const resolved = posix.join(posix.dirname(path), target);
  if (!resolved.startsWith('src/')) {
    return resolved === 'package.json' ? undefined : `${resolved} is not part of src`;
  }
  const to = place(resolved);
  if (to.folder === from) return undefined;
  if (wiring.includes(from)) {
    return to.folder === 'dashboard' ? `${from} may not import ${to.file}` : undefined;
  }
  const allowed = sourceFolders[from] ?? [];
  if (allowed.includes(to.folder) || allowed.includes(to.file)) return undefined;
  return `src/${from} may not import ${to.file}`;
}

export function checkSource(path: string, text: string): string[] {
  const { folder } = place(path);
  if (sourceFolders[folder] === undefined && !wiring.includes(folder)) {
    return [`${path}: src/${folder} is not in the table`];
  }
  const found = importsOf(text).flatMap((reference) => {
    const wrong = checkImport(folder, path, reference);
    return wrong === undefined ? [] : [`${path}:${reference.line}: ${wrong}`];
  });
  const loads = /\bprocess\s*\.\s*dlopen\b/.test(blank(text, 'ts'));
  return loads && folder !== 'addon'
    ? [...found, `${path}: only src/addon loads the addon`]
    : found;
}
