// One of a few, as a row of buttons.
import type { Signal } from '@preact/signals';

interface Props<T> {
  readonly label: string;
  readonly options: readonly (readonly [value: T, text: string])[];
  readonly chosen: Signal<T>;
}

export function Choice<T>({ label, options, chosen }: Props<T>) {
  return (
    <fieldset class="choice">
      <legend class="unseen">{label}</legend>
      {options.map(([value, text]) => (
        <button
          key={text}
          type="button"
          aria-pressed={chosen.value === value}
          onClick={() => {
            chosen.value = value;
          }}
        >
          {text}
        </button>
      ))}
    </fieldset>
  );
}
