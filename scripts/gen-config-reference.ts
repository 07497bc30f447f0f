// Generates the table of all keys in docs/configuration.md. `--check` compares instead of writing
// and fails when it is stale.
import { writeFileSync } from 'node:fs';
import { rootSchema } from '../src/config/schema-walk.ts';
import { referenceTable, withTable } from './lib/config-reference.ts';
import { inRoot, readText } from './lib/project.ts';
import { Failure, main } from './lib/run.ts';

const path = 'docs/configuration.md';

await main(() => {
  const page = readText(path);
  const fresh = withTable(page, referenceTable(rootSchema()));
  if (fresh === undefined) throw new Failure(`${path} has no place for the table of keys`);
  if (fresh === page) return;
  if (process.argv.includes('--check')) throw new Failure(`${path} is stale: npm run gen`);
  writeFileSync(inRoot(path), fresh);
  console.log(`${path}: written`);
});
