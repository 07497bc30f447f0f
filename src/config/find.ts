// Which configuration file is meant when none is named.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const names = [
  'sluice.config.ts',
  'sluice.config.js',
  'sluice.config.mjs',
  'sluice.yaml',
  'sluice.yml',
  'sluice.json',
] as const;
const systemFile = '/etc/sluice/sluice.yaml';

// In the order in which they are looked for.
export const configPlaces = (folder: string): string[] => [
  ...names.map((name) => join(folder, name)),
  systemFile,
];

// The first that exists; undefined when there is none.
export const findConfigFile = (folder: string = process.cwd()): string | undefined =>
  configPlaces(folder).find((path) => existsSync(path));
