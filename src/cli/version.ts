// `sluice version`: what this command is; programs learn more.
import { schemaHash } from '../shm/layout.gen.ts';
import { exitCodes } from './failure.ts';
import { writeJson } from './output.ts';
import type { Terminal } from './terminal.ts';

export function version(own: string, json: boolean, terminal: Terminal): number {
  const { version: node, platform, arch } = process;
  // `layout`: of the shared memory that `top` can read.
  if (json) writeJson(terminal, { version: own, node, platform, arch, layout: schemaHash });
  else terminal.write(`sluice ${own}\n`);
  return exitCodes.ok;
}
