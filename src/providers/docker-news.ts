// What the log says of containers: who joined, who left, who is skipped and why. Pure.
import type { LogFields } from '../log.ts';
import type { ContainerStatus } from './docker-state.ts';

export interface News {
  readonly level: 'debug' | 'info' | 'warn';
  readonly message: string;
  readonly fields: LogFields;
}

const same = (a: ContainerStatus | undefined, b: ContainerStatus): boolean =>
  a !== undefined &&
  a.state === b.state &&
  a.reason === b.reason &&
  a.address === b.address &&
  a.name === b.name &&
  a.routes.join() === b.routes.join();

function newsOf(former: ContainerStatus | undefined, now: ContainerStatus): News[] {
  if (same(former, now)) return [];
  const { name, image, state, reason, address, routes } = now;
  const fields = { container: name, image };
  const was = former?.state === 'balanced';
  if (state === 'balanced') {
    const renamed = was && former.name !== name ? { before: former.name } : {};
    const message = was ? 'container changed' : 'container joined';
    return [{ level: 'info', message, fields: { ...fields, ...renamed, address, routes } }];
  }
  if (was) {
    const message = state === 'draining' ? 'container drains' : 'container left';
    return [{ level: 'info', message, fields: { ...fields, address: former.address, reason } }];
  }
  if (state === 'draining') return [];
  const message = state === 'skipped' ? 'container skipped' : 'container ignored';
  return [
    { level: state === 'skipped' ? 'warn' : 'debug', message, fields: { ...fields, reason } },
  ];
}

export function newsBetween(
  before: readonly ContainerStatus[],
  after: readonly ContainerStatus[],
): News[] {
  const former = new Map(before.map((status) => [status.id, status]));
  const now = new Set(after.map(({ id }) => id));
  const gone = before.filter(({ id, state }) => {
    return !now.has(id) && (state === 'balanced' || state === 'draining');
  });
  return [
    ...gone.map(({ name, image, address }): News => {
      const fields = { container: name, image, address };
      return { level: 'info', message: 'container ended', fields };
    }),
    ...after.flatMap((status) => newsOf(former.get(status.id), status)),
  ];
}
