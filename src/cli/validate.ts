// `sluice validate`: says everything that is wrong with a file, and starts nothing.
import { checkConfigFile } from './config-file.ts';
import { exitCodes } from './failure.ts';

const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`;

// Throws what `checkConfigFile` throws.
export async function validate(path: string, print: (line: string) => void): Promise<number> {
  const { listeners, pools } = await checkConfigFile(path);
  const backends = [...pools.values()].reduce((sum, pool) => sum + pool.backends.size, 0);
  const parts = [
    counted(listeners.size, 'listener'),
    counted(pools.size, 'pool'),
    counted(backends, 'backend'),
  ];
  print(`${path} is valid: ${parts.join(', ')}`);
  return exitCodes.ok;
}
