// `-o`: whether a command prints for people or for programs.
import { Option } from 'commander';
import type { Terminal } from './terminal.ts';

export interface OutputOptions {
  readonly output: 'table' | 'json';
}

export const outputOption = (): Option =>
  new Option('-o, --output <format>', 'for people or for programs')
    .choices(['table', 'json'])
    .default('table');

export const writeJson = (terminal: Terminal, value: unknown): void =>
  terminal.write(`${JSON.stringify(value, null, 2)}\n`);
