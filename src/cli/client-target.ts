// How commands name a backend: `POOL/BACKEND`. Names of pools have no slash; a backend's may.
import { UsageError } from './failure.ts';

export interface BackendName {
  readonly pool: string;
  readonly backend: string;
}

export function backendName(text: string): BackendName {
  const slash = text.indexOf('/');
  if (slash > 0 && slash < text.length - 1) {
    return { pool: text.slice(0, slash), backend: text.slice(slash + 1) };
  }
  throw new UsageError(`the backend is '${text}': expected POOL/BACKEND, as in web/127.0.0.1:9001`);
}

export const backendPath = ({ pool, backend }: BackendName): string =>
  `/api/v1/pools/${encodeURIComponent(pool)}/backends/${encodeURIComponent(backend)}`;
