// Writes docs/openapi.json, the OpenAPI document of the admin API, from the endpoints in src/admin.
// `--check` compares instead and fails when the committed file is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { apiDocument } from '../src/admin/endpoints.ts';
import { inRoot, readText } from './lib/project.ts';
import { Failure, main } from './lib/run.ts';

await main(() => {
  const path = inRoot('docs/openapi.json');
  const { version } = JSON.parse(readText('package.json')) as { version: string };
  const text = `${JSON.stringify(apiDocument(version), null, 2)}\n`;
  if (!process.argv.includes('--check')) return writeFileSync(path, text);
  if (readFileSync(path, 'utf8') !== text) {
    throw new Failure('docs/openapi.json is stale: npm run gen');
  }
});
