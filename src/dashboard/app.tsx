// The frame: who this balancer is, how it is, where one is, and whether what is shown is live.
import { dismiss, notices } from './actions.ts';
import { duration } from './format.ts';
import { hrefOf, view } from './location.ts';
import { Badge } from './parts/badge.tsx';
import { Dialogs, isHelpOpen, TokenPrompt } from './parts/dialog.tsx';
import { health, link, nowMs, stats, trouble, version } from './store.ts';
import { nextTheme, theme } from './theme.ts';
import { type View, views } from './view-names.ts';
import { Containers } from './views/containers.tsx';
import { Events } from './views/events.tsx';
import { Overview } from './views/overview.tsx';
import { Pools } from './views/pools.tsx';
import { Routes } from './views/routes.tsx';

const icon = new URL('./icon.svg', import.meta.url).href;

const shown: Readonly<Record<View, () => preact.JSX.Element>> = {
  overview: Overview,
  routes: Routes,
  pools: Pools,
  containers: Containers,
  events: Events,
};

function Health() {
  const { state } = link.value;
  if (state === 'lost') return <Badge tone="bad" text="not connected" />;
  if (state !== 'live' || health.value === undefined) {
    return <Badge tone="quiet" text={state === 'live' ? 'reading' : state} />;
  }
  const { status, reasons } = health.value;
  const tone = status === 'healthy' ? 'good' : status === 'draining' ? 'warning' : 'bad';
  return <Badge tone={tone} text={status} hint={reasons.join('; ')} />;
}

function Facts() {
  if (version.value === undefined) return null;
  const { version: release, engine, workers, startedAt } = version.value;
  const up = (nowMs.value - Date.parse(startedAt)) / 1000;
  const facts = [
    ['Version', release],
    ['Engine', engine],
    ['Workers', String(workers)],
    ['Generation', String(stats.value?.generation ?? health.value?.generation ?? '–')],
    ['Up', duration(up)],
  ];
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Header() {
  return (
    <header class="top">
      <a class="brand" href={hrefOf('overview')}>
        <img src={icon} alt="" width="26" height="26" />
        <span>sluice</span>
      </a>
      <div role="status" aria-label="Health">
        <Health />
      </div>
      <Facts />
      <div class="tools">
        <button type="button" class="plain" onClick={nextTheme} title="Colours (t)">
          <span class="unseen">Colours: </span>
          {theme.value}
        </button>
        <button
          type="button"
          class="plain"
          title="Keyboard (?)"
          aria-label="Keyboard"
          onClick={() => {
            isHelpOpen.value = true;
          }}
        >
          ?
        </button>
      </div>
    </header>
  );
}

function Navigation() {
  return (
    <nav aria-label="Views">
      {views.map(([name, title]) => (
        <a key={name} href={hrefOf(name)} aria-current={view.value === name ? 'page' : undefined}>
          {title}
        </a>
      ))}
    </nav>
  );
}

function Banner() {
  const { state, reason, sinceMs } = link.value;
  if (state === 'live' && trouble.value !== '') {
    return (
      <div class="banner" role="alert">
        <b>Not all figures can be read.</b> <span class="muted">{trouble.value}</span>
      </div>
    );
  }
  if (state !== 'lost') return null;
  const since = Math.max(0, (nowMs.value - sinceMs) / 1000);
  return (
    <div class="banner" role="alert">
      <b>No connection to the balancer.</b> What is shown is {duration(since)} old.{' '}
      <span class="muted">{reason}</span>
    </div>
  );
}

function Notices() {
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.value.map(({ id, isFailure, what, text }) => (
        <div key={id} class={`notice ${isFailure ? 'notice-bad' : 'notice-good'}`}>
          <div>
            <b>{what}</b>
            <p>{text}</p>
          </div>
          <button type="button" class="plain" aria-label="Dismiss" onClick={() => dismiss(id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}

export function App() {
  const Shown = shown[view.value];
  return (
    <>
      <button
        type="button"
        class="skip"
        onClick={() => document.querySelector<HTMLElement>('h1')?.focus()}
      >
        Skip to the content
      </button>
      <Header />
      <Navigation />
      <main id="main">
        <Banner />
        {link.value.state === 'refused' ? <TokenPrompt /> : <Shown />}
      </main>
      <Notices />
      <Dialogs />
    </>
  );
}
