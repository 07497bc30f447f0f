// By which address a container is reached. Pure.
import type { Container } from './docker-facts.ts';

export type Reach =
  | { readonly kind: 'address'; readonly host: string }
  // It has none yet; it will.
  | { readonly kind: 'pending'; readonly reason: string }
  | { readonly kind: 'problem'; readonly reason: string };

export interface Surroundings {
  // The container that this process runs in; undefined on the host itself.
  readonly self: Container | undefined;
  // Names the host of the engine; undefined for an engine of this host.
  readonly engineHost: string | undefined;
  // Of the configuration.
  readonly network: string | undefined;
  // To find the container whose network another one shares.
  readonly byId: ReadonlyMap<string, Container>;
}

const problem = (reason: string): Reach => ({ kind: 'problem', reason });
const list = (names: readonly string[]): string => names.join(', ') || 'none';

// What Swarm uses to publish ports; nobody reaches containers by it.
const routingMesh = 'ingress';

function chosen(container: Container, name: string, by: string): Reach {
  const found = container.networks.find((network) => network.name === name);
  if (found === undefined) {
    const names = container.networks.map((network) => network.name);
    return problem(`it is not in network '${name}', which ${by} names; it is in ${list(names)}`);
  }
  return found.address === ''
    ? { kind: 'pending', reason: `it has no address in network '${name}' yet` }
    : { kind: 'address', host: found.address };
}

function onHostNetwork({ self, engineHost }: Surroundings): Reach {
  if (engineHost !== undefined) return { kind: 'address', host: engineHost };
  if (self === undefined || self.networkMode === 'host') {
    return { kind: 'address', host: '127.0.0.1' };
  }
  return problem("it uses the host's network, which is not reached from within a container");
}

// Label, then configuration, then what is shared with this process, then the only one there is.
export function reachOf(
  container: Container,
  label: string | undefined,
  surroundings: Surroundings,
): Reach {
  const { self, network, byId } = surroundings;
  const { networkMode } = container;
  if (networkMode === 'host') return onHostNetwork(surroundings);
  if (networkMode === 'none') return problem('it has no network');
  if (networkMode.startsWith('container:')) {
    const id = networkMode.slice('container:'.length);
    const other = byId.get(id);
    if (other === undefined || other.networkMode.startsWith('container:')) {
      return problem(`it uses the network of container ${id.slice(0, 12)}, which does not run`);
    }
    return reachOf(other, label, surroundings);
  }
  if (label !== undefined) return chosen(container, label, 'label sluice.network');
  if (network !== undefined && container.networks.some(({ name }) => name === network)) {
    return chosen(container, network, 'providers.docker.network');
  }
  const names = container.networks.map(({ name }) => name).filter((name) => name !== routingMesh);
  const own = self === undefined || self.networkMode === 'host' ? undefined : self.networks;
  const usable =
    own === undefined ? names : names.filter((name) => own.some((n) => n.name === name));
  const [first, ...others] = usable;
  if (first === undefined) {
    if (own === undefined) return problem('it is in no network');
    const ours = own.map(({ name }) => name);
    return problem(`no network is shared: it is in ${list(names)}, sluice in ${list(ours)}`);
  }
  // What is shared is reached, by whichever.
  if (own === undefined && others.length > 0) {
    return problem(
      `it is in several networks (${list(usable)}): label sluice.network or ` +
        'providers.docker.network chooses one',
    );
  }
  return chosen(container, first, 'nobody');
}

// The id of the container this process runs in: engines mount files from a folder named by it.
// `mounts`: /proc/self/mountinfo.
export const ownContainerId = (mounts: string): string | undefined =>
  /\/containers\/([0-9a-f]{64})\/(?:hostname|hosts|resolv\.conf) /.exec(mounts)?.[1];
