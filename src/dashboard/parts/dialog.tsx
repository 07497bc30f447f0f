// Dialogs are the browser's own: it keeps the focus inside and gives it back, and Esc closes.
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { token } from '../api.ts';
import { shortcuts } from '../keys.ts';
import { reconnect, refresh } from '../live.ts';
import { link } from '../store.ts';

interface DialogProps {
  readonly title: string;
  readonly closed: () => void;
  readonly children: ComponentChildren;
}

function Dialog({ title, closed, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => element.current?.showModal(), []);
  return (
    <dialog ref={element} onClose={closed} aria-labelledby="dialog-title">
      <h2 id="dialog-title">{title}</h2>
      {children}
    </dialog>
  );
}

export const isHelpOpen = signal(false);

function Help() {
  const close = (): void => {
    isHelpOpen.value = false;
  };
  return (
    <Dialog title="Keyboard" closed={close}>
      <dl class="shortcuts">
        {shortcuts.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              {keys.split(' ').map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <div class="buttons">
        <button type="button" class="primary" onClick={close}>
          Close
        </button>
      </div>
    </Dialog>
  );
}

interface Question {
  readonly title: string;
  readonly text: string;
  readonly verb: string;
  readonly yes: () => void;
}
const question = signal<Question | undefined>(undefined);

// Asks before what cannot be undone, or cuts somebody off.
export function confirm(asked: Question): void {
  question.value = asked;
}

function Confirm({ title, text, verb, yes }: Question) {
  const close = (): void => {
    question.value = undefined;
  };
  const accept = (): void => {
    close();
    yes();
  };
  return (
    <Dialog title={title} closed={close}>
      <p>{text}</p>
      <div class="buttons">
        <button type="button" onClick={close}>
          Cancel
        </button>
        <button type="button" class="danger" onClick={accept}>
          {verb}
        </button>
      </div>
    </Dialog>
  );
}

function TokenPrompt() {
  const field = useRef<HTMLInputElement>(null);
  const submit = (event: Event): void => {
    event.preventDefault();
    token.set(field.current?.value.trim() ?? '');
    reconnect();
    refresh('all');
  };
  return (
    <section class="card prompt" aria-labelledby="prompt-title">
      <h2 id="prompt-title">This balancer asks for a token</h2>
      <p>{link.value.reason}</p>
      <form onSubmit={submit}>
        <label for="token">Token</label>
        <input id="token" type="password" autocomplete="off" required ref={field} />
        <button type="submit" class="primary">
          Go on
        </button>
      </form>
      <p class="hint">It is kept until this tab is closed.</p>
    </section>
  );
}

export { TokenPrompt };

export function Dialogs() {
  return (
    <>
      {isHelpOpen.value && <Help />}
      {question.value !== undefined && <Confirm {...question.value} />}
    </>
  );
}
