// Unknown data becomes what a provider states: checked as a whole, then parsed. Every problem is
// collected with its path, value and expectation, and nothing is guessed.
import { readFile } from 'node:fs/promises';
import { isMap, isPair, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { configError, type Issue, reasonOf, SluiceError } from '../errors.ts';
import type {
  Desired,
  DesiredPool,
  PoolHttpOptions,
  Settings,
  StatedAddress,
  StatedBackend,
} from '../model/types.ts';
import { parseBackendAddress } from './address.ts';
import { accepted, defaults, duration } from './defaults.ts';
import { listenerOf } from './listener.ts';
import { type Key, pathText } from './paths.ts';
import { type BackendConfig, type Config, configSchema, type PoolConfig } from './schema.ts';
import { adminOf } from './schema-admin.ts';
import { modesWith } from './schema-listener.ts';

export type { Config } from './schema.ts';

// Line of the value at a path, counted from 1.
export type Locate = (path: readonly Key[]) => number | undefined;

const valueAt = (input: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null
        ? (value as Record<PropertyKey, unknown>)[key]
        : undefined,
    input,
  );

// An unknown key, and where it is known: keys of one mode are no use in another.
function unknownKey(parent: unknown, key: string): { expected: string; message: string } {
  const { mode } = (parent ?? {}) as { mode?: unknown };
  const others = mode === 'tcp' || mode === 'http' ? modesWith(key) : [];
  if (others.length === 0) return { expected: 'a known key', message: `unknown key '${key}'` };
  const expected = `'${key}' only in mode ${others.join(', ')}`;
  return { expected, message: `expected ${expected}` };
}

export function issuesOf(error: z.ZodError, input: unknown, locate: Locate | undefined): Issue[] {
  const make = (path: readonly PropertyKey[], expected: string, message: string): Issue => {
    const line = locate?.(path as readonly Key[]);
    const value = valueAt(input, path);
    const issue = { path: pathText(path), value, expected, message };
    return line === undefined ? issue : { ...issue, line };
  };
  return error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => {
        const { expected, message } = unknownKey(valueAt(input, issue.path), key);
        return make([...issue.path, key], expected, message);
      });
    }
    if (issue.code === 'invalid_key') {
      const text = issue.issues[0]?.message ?? issue.message;
      return [make(issue.path, text.replace(/^expected /, ''), text)];
    }
    const expected = issue.message.replace(/^expected /, '');
    const value = valueAt(input, issue.path);
    const shown = value === undefined ? 'nothing' : (JSON.stringify(value) ?? String(value));
    const short = shown.length > 80 ? `${shown.slice(0, 77)}…` : shown;
    return [make(issue.path, expected, `${issue.message}, found ${short}`)];
  });
}

export function backendOf(config: BackendConfig): StatedBackend {
  const text = typeof config === 'string' ? config : config.address;
  const weight = typeof config === 'string' ? 1 : (config.weight ?? 1);
  const address: StatedAddress = accepted(parseBackendAddress(text));
  return { id: address.text, address, weight };
}

function poolHttpOf({ keepAlive, timeouts }: PoolConfig): PoolHttpOptions {
  const { poolHttp } = defaults;
  return {
    responseHeadTimeoutMs: duration(timeouts?.responseHead, poolHttp.responseHeadTimeoutMs),
    bodyTimeoutMs: duration(timeouts?.body, poolHttp.bodyTimeoutMs),
    keepAliveIdleMs: duration(keepAlive?.idleTimeout, poolHttp.keepAliveIdleMs),
    keepAliveRequestsMax: keepAlive?.maxRequests ?? poolHttp.keepAliveRequestsMax,
    idleMax: keepAlive?.maxIdle ?? poolHttp.idleMax,
  };
}

function poolOf(name: string, config: PoolConfig, issues: Issue[]): DesiredPool {
  const backends = new Map<string, StatedBackend>();
  for (const [index, stated] of (config.backends ?? []).entries()) {
    const backend = backendOf(stated);
    if (backends.has(backend.id)) {
      issues.push({
        path: pathText(['pools', name, 'backends', index]),
        value: stated,
        expected: 'each backend once',
        message: `${backend.id} is listed twice`,
      });
    }
    backends.set(backend.id, backend);
  }
  return {
    settings: {
      strategy: config.strategy ?? 'round_robin',
      connectTimeoutMs: duration(config.connectTimeout, defaults.connectTimeoutMs),
      connectRetries: defaults.connectRetries,
      drainTimeoutMs: duration(config.drainTimeout, defaults.drainTimeoutMs),
      http: poolHttpOf(config),
    },
    backends,
    without: new Set(),
    weights: new Map(),
  };
}

function settingsOf(config: Config, issues: Issue[]): Settings {
  return {
    workers: config.workers === 'auto' ? undefined : config.workers,
    engine: config.engine ?? 'auto',
    maxConnections: config.maxConnections,
    logLevel: config.logLevel ?? 'info',
    ...adminOf(config.admin, issues),
    stateFile: config.stateFile,
  };
}

// Throws ERR_SLUICE_CONFIG with all issues. `source` names who states it.
export function parseConfig(input: unknown, source: string, locate?: Locate): Desired {
  const checked = configSchema.safeParse(input);
  if (!checked.success) throw configError(issuesOf(checked.error, input, locate), checked.error);
  const config = checked.data;
  const issues: Issue[] = [];
  const desired: Desired = {
    source,
    layer: 'intent',
    attached: [],
    settings: settingsOf(config, issues),
    listeners: new Map(
      Object.entries(config.listeners ?? {}).map(([name, one]) => [
        name,
        listenerOf(name, one, issues),
      ]),
    ),
    pools: new Map(
      Object.entries(config.pools ?? {}).map(([name, one]) => [name, poolOf(name, one, issues)]),
    ),
  };
  if (issues.length > 0) throw configError(issues);
  return desired;
}

export interface Document {
  readonly input: unknown;
  readonly locate: Locate;
}

// YAML, and with it JSON. Throws ERR_SLUICE_CONFIG_FILE with the line of a syntax error.
export async function readDocument(path: string): Promise<Document> {
  const failed = (reason: string, cause?: unknown): SluiceError =>
    new SluiceError('ERR_SLUICE_CONFIG_FILE', { path, reason }, { cause });
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw failed(reasonOf(cause), cause);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: true });
  const [error] = document.errors;
  if (error !== undefined) throw failed(error.message.trim(), error);
  const locate: Locate = (path) => {
    for (let length = path.length; length > 0; length--) {
      const parent = document.getIn(path.slice(0, length - 1), true);
      const key = path[length - 1];
      // For a mapping the line of the key, which is where the eye looks.
      const pair = isMap(parent)
        ? parent.items.find((item) => isPair(item) && nameOf(item.key) === String(key))
        : undefined;
      const node = pair === undefined ? document.getIn(path.slice(0, length), true) : pair.key;
      const range = (node as { range?: readonly number[] } | undefined)?.range;
      if (range?.[0] !== undefined) return lines.linePos(range[0]).line;
    }
    return undefined;
  };
  // An empty file states nothing, `{}` states that there is nothing: only that is meant.
  return { input: document.toJS() ?? null, locate };
}

const nameOf = (key: unknown): string => String((key as { value?: unknown } | null)?.value ?? key);

export const withLines = (issues: readonly Issue[], locate: Locate): Issue[] =>
  issues.map((issue) => {
    const path = [...issue.path.matchAll(/([^.[\]]+)|\[(\d+)\]/g)].map((found) =>
      found[2] === undefined ? (found[1] ?? '') : Number(found[2]),
    );
    const line = locate(path);
    return issue.line !== undefined || line === undefined ? issue : { ...issue, line };
  });

// What a file states. Throws ERR_SLUICE_CONFIG_FILE or ERR_SLUICE_CONFIG.
export async function loadDesired(path: string, source: string): Promise<Desired> {
  const { input, locate } = await readDocument(path);
  try {
    return parseConfig(input, source, locate);
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== 'ERR_SLUICE_CONFIG') throw error;
    throw configError(withLines(error.issues, locate), error.cause);
  }
}

// Reads and checks a file and returns what it says.
export async function loadConfigFile(path: string): Promise<Config> {
  const { input } = await readDocument(path);
  await loadDesired(path, 'file');
  return input as Config;
}
