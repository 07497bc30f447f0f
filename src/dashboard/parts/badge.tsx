// A state in a word and a colour; the word alone suffices.
import type { BackendAnswer, ContainerAnswer } from '../../admin/api-types.ts';

export type Tone = 'good' | 'warning' | 'bad' | 'quiet' | 'busy';

export function Badge({ tone, text, hint }: { tone: Tone; text: string; hint?: string }) {
  return (
    <span class={`badge badge-${tone}`} title={hint}>
      {text}
    </span>
  );
}

const healthTones: Readonly<Record<BackendAnswer['health'], Tone>> = {
  healthy: 'good',
  unknown: 'quiet',
  checking: 'busy',
  unhealthy: 'bad',
  ejected: 'bad',
};

export function BackendBadges({ backend }: { backend: BackendAnswer }) {
  const { state, health, removing, weight } = backend;
  return (
    <span class="badges">
      {removing && <Badge tone="warning" text="removing" />}
      {!removing && state !== 'up' && (
        <Badge tone={state === 'draining' ? 'warning' : 'quiet'} text={state} />
      )}
      {health !== 'unknown' && <Badge tone={healthTones[health]} text={health} />}
      {!removing && state === 'up' && health === 'unknown' && <Badge tone="good" text="up" />}
      {weight === 0 && <Badge tone="quiet" text="no new work" hint="its weight is 0" />}
    </span>
  );
}

const containerTones: Readonly<Record<ContainerAnswer['state'], Tone>> = {
  balanced: 'good',
  draining: 'warning',
  skipped: 'warning',
  ignored: 'quiet',
};

export const ContainerBadge = ({ state }: { state: ContainerAnswer['state'] }) => (
  <Badge tone={containerTones[state]} text={state} />
);
