// Builds the binary that the packed package carries, prebuilds/<platform>-<arch>/*.<libc>.node.
// node-gyp-build finds it at run time; one Node-API binary serves every node version.
// `--if-stale` leaves one alone that was built from the same sources.
import {
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import {
  addonInputs,
  compilerVersion,
  gypEnvironment,
  nodePrefix,
  requireToolchain,
} from './lib/addon-build.ts';
import { fingerprint, inRoot, listFiles } from './lib/project.ts';
import { Failure, main, run, tool } from './lib/run.ts';

const stamp = inRoot('.cache/prebuild.stamp');

// prebuildify empties the folder it builds in. It gets one of its own, so that the objects of the
// working build and of the native tests stay.
function makeBuildFolder(): string {
  const folder = inRoot('.cache/prebuild');
  mkdirSync(folder, { recursive: true });
  for (const name of ['binding.gyp', 'package.json', 'native']) {
    try {
      unlinkSync(`${folder}/${name}`);
    } catch {
      // The first run has nothing to replace.
    }
    symlinkSync(inRoot(name), `${folder}/${name}`);
  }
  return folder;
}

await main(() => {
  if (process.platform !== 'linux') throw new Failure('prebuilt binaries are made on Linux');
  const prefix = nodePrefix();
  requireToolchain();
  const key = fingerprint(addonInputs, [prefix, compilerVersion(), process.arch]);
  const built = listFiles('prebuilds', ['.node']);
  const fresh = existsSync(stamp) && readFileSync(stamp, 'utf8') === key && built.length > 0;
  if (process.argv.includes('--if-stale') && fresh) {
    console.log('prebuilds: up to date');
    return;
  }
  rmSync(inRoot('prebuilds'), { recursive: true, force: true });
  run(
    tool('prebuildify'),
    [
      ...['--napi', '--strip', '--tag-libc'],
      `--target=${process.versions.node}`,
      `--cwd=${makeBuildFolder()}`,
      `--out=${inRoot('')}`,
    ],
    { env: { ...gypEnvironment(prefix), PREBUILD_NODE_GYP: tool('node-gyp') } },
  );
  writeFileSync(stamp, key);
  console.log(`prebuilds: ${listFiles('prebuilds', ['.node']).join(', ')}`);
});
