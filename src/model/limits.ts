// How much a configuration may hold: what the shared memory has room for.
export { limits } from '../shm/schema.ts';
