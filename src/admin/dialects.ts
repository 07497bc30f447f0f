// The two foreign dialects at work: their tables, filled from their files when the balancer starts,
// whether or not anybody ever asks the admin API.
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { z } from 'zod';
import { readState, replaceFile } from '../control/state-file.ts';
import { reasonOf, SluiceError } from '../errors.ts';
import { desiredOf, Table } from './dialect.ts';
import { containersFile, domainsFile, domainsSource, statedDomains } from './domains.ts';
import {
  addressesIn,
  containersIn,
  type DomainsRow,
  domainsIn,
  rowsOf,
} from './domains-dialect.ts';
import { checkedBody } from './endpoint.ts';
import {
  originOf,
  type Server,
  serverOf,
  serversFile,
  serversSource,
  statedServers,
} from './servers.ts';
import type { AdminSource } from './source.ts';

export interface DialectOptions {
  // Where domains are balanced; `:8080` unless stated.
  readonly domainsListen?: string | undefined;
  // Where domains are kept, and beside it containers.json; in memory alone unless stated.
  readonly domainsFile?: string | undefined;
  // Where servers are kept; in memory alone unless stated.
  readonly serversFile?: string | undefined;
}

export interface Dialects {
  readonly servers: Table<Server>;
  readonly domains: Table<DomainsRow>;
}

const domainsListenDefault = ':8080';

const failed = (path: string, cause: unknown): SluiceError =>
  new SluiceError('ERR_SLUICE_STATE_FILE', { path, reason: reasonOf(cause) }, { cause });

// undefined: there is no such file. Throws ERR_SLUICE_STATE_FILE.
async function read<S extends z.ZodType>(
  path: string | undefined,
  schema: S,
): Promise<z.output<S> | undefined> {
  const document = path === undefined ? undefined : await readState(path);
  if (path === undefined || document === undefined) return undefined;
  try {
    return checkedBody(schema, document);
  } catch (cause) {
    throw failed(path, cause);
  }
}

async function write(path: string, document: unknown): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await replaceFile(path, `${JSON.stringify(document, null, 2)}\n`);
  } catch (cause) {
    throw failed(path, cause);
  }
}

async function openServers(source: AdminSource, path: string | undefined): Promise<Table<Server>> {
  const table = new Table<Server>({
    compile: (rows) => desiredOf(serversSource, statedServers(rows.values())),
    statements: source.statements('servers'),
    save: async (rows) => {
      if (path !== undefined) await write(path, [...rows.values()]);
    },
  });
  const kept = await read(path, serversFile);
  if (kept !== undefined) {
    await table.restore(new Map(kept.map((one) => [originOf(one.address), serverOf(one)])));
  }
  return table;
}

async function openDomains(
  source: AdminSource,
  { domainsFile: path, domainsListen = domainsListenDefault }: DialectOptions,
): Promise<Table<DomainsRow>> {
  const containersPath = path === undefined ? undefined : join(dirname(path), 'containers.json');
  const table = new Table<DomainsRow>({
    compile: (rows) =>
      desiredOf(domainsSource, statedDomains(domainsIn(rows), addressesIn(rows), domainsListen)),
    statements: source.statements('domains'),
    // Containers first: a domain that names one finds it.
    save: async (rows, before) => {
      if (path === undefined || containersPath === undefined) return;
      const named = containersIn(rows);
      const isSame = JSON.stringify(named) === JSON.stringify(containersIn(before));
      if (!isSame) await write(containersPath, named);
      await write(path, domainsIn(rows));
    },
  });
  const domains = await read(path, domainsFile);
  const containers = await read(containersPath, containersFile);
  if (domains !== undefined || containers !== undefined) {
    await table.restore(rowsOf(domains ?? [], containers ?? []));
  }
  return table;
}

// Throws ERR_SLUICE_STATE_FILE when a file cannot be read or says what cannot be.
export async function openDialects(
  source: AdminSource,
  options: DialectOptions = {},
): Promise<Dialects> {
  return {
    servers: await openServers(source, options.serversFile),
    domains: await openDomains(source, options),
  };
}
