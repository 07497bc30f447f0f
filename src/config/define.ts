import type { Config } from './schema.ts';

// What a configuration file in TypeScript or JavaScript exports.
export type ConfigExport = Config | (() => Config | Promise<Config>);

// Checks types where a configuration is written; returns it unchanged.
export function defineConfig<T extends ConfigExport>(config: T): T {
  return config;
}
