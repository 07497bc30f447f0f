// Finds and loads the binary of the data plane; the only place that does. Nothing is loaded at
// import, so configuration and types work on every system.
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { SluiceError } from '../errors.ts';
import { schemaHash } from '../shm/layout.gen.ts';
import type { NativeAddon } from './native.ts';

// From dist/addon and from src/addon alike.
const packageRoot = fileURLToPath(new URL('../../', import.meta.url));

export interface Platform {
  readonly platform: string;
  readonly arch: string;
}

function libc(): string {
  try {
    return readdirSync('/lib').some((name) => name.startsWith('ld-musl-')) ? 'musl' : 'glibc';
  } catch {
    return 'unknown';
  }
}

function notFound({ platform, arch }: Platform, cause: unknown): SluiceError {
  const details = { platform: `${platform}-${arch}`, libc: libc(), root: packageRoot };
  return new SluiceError('ERR_SLUICE_ADDON_NOT_FOUND', details, { cause });
}

// Throws ERR_SLUICE_ADDON_LAYOUT when the binary was built for another layout of the memory.
export function checkLayout(addon: Pick<NativeAddon, 'layoutHash'>): void {
  const binary = addon.layoutHash();
  if (binary === schemaHash) return;
  throw new SluiceError('ERR_SLUICE_ADDON_LAYOUT', { binary, expected: schemaHash });
}

// Throws ERR_SLUICE_PLATFORM, ERR_SLUICE_ADDON_NOT_FOUND or ERR_SLUICE_ADDON_LAYOUT.
export function loadAddon(on: Platform = process, root: string = packageRoot): NativeAddon {
  if (on.platform !== 'linux') {
    throw new SluiceError('ERR_SLUICE_PLATFORM', { platform: `${on.platform}-${on.arch}` });
  }
  const require = createRequire(import.meta.url);
  let addon: NativeAddon;
  try {
    if (!existsSync(root)) throw new Error(`${root} does not exist`);
    addon = (require('node-gyp-build') as (root: string) => NativeAddon)(root);
  } catch (cause) {
    throw notFound(on, cause);
  }
  checkLayout(addon);
  return addon;
}
