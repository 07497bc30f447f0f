// The buttons of a backend.
import { useSignal } from '@preact/signals';
import type { BackendAnswer, PoolAnswer } from '../../admin/api-types.ts';
import { drain, keyOf, pending, remove, setWeight, undrain } from '../actions.ts';
import { isUsable } from '../concerns.ts';
import { confirm } from './dialog.tsx';

interface Props {
  readonly pool: PoolAnswer;
  readonly backend: BackendAnswer;
}

const weightMax = 65_535;

export function Weight({ pool, backend }: Props) {
  const { id, weight } = backend;
  // What is typed, until the balancer has it.
  const typed = useSignal<string | undefined>(undefined);
  const isPending = pending.value.has(keyOf(pool.name, id));
  const forget = (): void => {
    typed.value = undefined;
  };
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const next = Number(typed.value);
    if (typed.value !== undefined && typed.value !== '' && next !== weight) {
      await setWeight(pool.name, id, next);
    }
    forget();
  };
  return (
    <form class="weight" onSubmit={(event) => void submit(event)}>
      <input
        type="number"
        min="0"
        max={weightMax}
        step="1"
        aria-label={`Weight of ${id} in ${pool.name}`}
        value={typed.value ?? String(weight)}
        disabled={isPending || backend.removing}
        onInput={({ currentTarget }) => {
          typed.value = currentTarget.value;
        }}
        onKeyDown={(event) => {
          if (event.key === 'Escape') forget();
        }}
      />
      {typed.value !== undefined && (
        <button type="submit" disabled={isPending} aria-label={`Set the weight of ${id}`}>
          Set
        </button>
      )}
    </form>
  );
}

// Draining the last one that takes work leaves clients without an answer: that is asked about.
function askDrain(pool: PoolAnswer, backend: BackendAnswer): void {
  const isLast = isUsable(backend) && pool.backends.filter(isUsable).length === 1;
  const yes = (): void => void drain(pool.name, backend.id);
  if (!isLast) yes();
  else
    confirm({
      title: `Drain the last backend of ${pool.name}?`,
      text: `No other backend of ${pool.name} takes new work. Its clients will get errors.`,
      verb: 'Drain',
      yes,
    });
}

function askRemove(pool: PoolAnswer, { id }: BackendAnswer): void {
  confirm({
    title: `Remove ${id} from ${pool.name}?`,
    text: 'It takes no new work; what goes on there is cut when the drain timeout is over.',
    verb: 'Remove',
    yes: () => void remove(pool.name, id),
  });
}

export function BackendActions({ pool, backend }: Props) {
  const { id, state, removing } = backend;
  const isPending = pending.value.has(keyOf(pool.name, id));
  const where = `${id} in ${pool.name}`;
  const isUp = state === 'up';
  return (
    <span class="actions" aria-busy={isPending}>
      <button
        type="button"
        disabled={isPending || removing}
        aria-label={`${isUp ? 'Drain' : 'Undrain'} ${where}`}
        onClick={() => (isUp ? askDrain(pool, backend) : void undrain(pool.name, id))}
      >
        {isPending ? 'Wait…' : isUp ? 'Drain' : 'Undrain'}
      </button>
      <button
        type="button"
        class="quiet-danger"
        disabled={isPending || removing}
        aria-label={`Remove ${where}`}
        onClick={() => askRemove(pool, backend)}
      >
        Remove
      </button>
    </span>
  );
}
