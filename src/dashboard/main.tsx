// Puts the page together.
import { render } from 'preact';
import { App } from './app.tsx';
import { Keys } from './keys.ts';
import { startLive } from './live.ts';
import { open, view, watchLocation } from './location.ts';
import { isHelpOpen } from './parts/dialog.tsx';
import { search } from './store.ts';
import { nextTheme, startTheme } from './theme.ts';

const keys = new Keys();

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.matches('input, select, textarea, dialog *');

function leaveSearch({ key, target }: KeyboardEvent): void {
  if (key !== 'Escape' || !(target instanceof HTMLInputElement) || target.type !== 'search') return;
  search.value = '';
  target.blur();
}

addEventListener('keydown', (event) => {
  if (isTyping(event.target)) return leaveSearch(event);
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const command = keys.press(event.key, event.timeStamp);
  if (command === undefined) return;
  event.preventDefault();
  if (command.do === 'open') open(command.view);
  else if (command.do === 'help') isHelpOpen.value = true;
  else if (command.do === 'theme') nextTheme();
  else document.querySelector<HTMLInputElement>('input[type=search]')?.focus();
});

// Another view begins at its heading, which tells who listens rather than looks where they are.
watchLocation(() => {
  search.value = '';
  requestAnimationFrame(() => {
    scrollTo(0, 0);
    document.querySelector<HTMLElement>('h1')?.focus();
  });
});
view.subscribe((name) => {
  document.title = `${name} · sluice`;
});

const page = document.querySelector('#page');
if (page === null) throw new Error('the document has no #page');
startTheme();
render(<App />, page);
startLive();
