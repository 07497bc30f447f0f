// All endpoints of the native API, and the document that describes them.
import { backendWrites } from './backend-writes.ts';
import type { Endpoint } from './endpoint.ts';
import { openapi } from './openapi.ts';
import { reads } from './reads.ts';
import { writes } from './writes.ts';

export const endpoints: readonly Endpoint[] = [...reads, ...writes, ...backendWrites];

export const apiDocument = (version: string): Readonly<Record<string, unknown>> =>
  openapi(endpoints, version);
