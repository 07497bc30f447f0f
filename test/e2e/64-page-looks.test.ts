// How the page looks and is used: in every width and both colours, by keyboard, for everybody.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openBrowser, openDashboard } from '../fixtures/dashboard.ts';
import { startHttpOrigin } from '../fixtures/http-origins.ts';
import { deadPort } from '../fixtures/origins.ts';
import { buildOnce, runSluice } from '../fixtures/programs.ts';
import { root, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
let browser: Browser;

beforeAll(async () => {
  buildOnce();
  browser = await openBrowser();
}, 120_000);
afterAll(() => browser?.close());

const names = ['overview', 'routes', 'pools', 'containers', 'events'] as const;
// On both sides of where tables become cards, too.
const widths = [320, 480, 768, 961, 1024, 1440, 3840] as const;
const colours = ['light', 'dark'] as const;
const sizeMax = 100_000;

// Something of everything: names of any length, a pool that cannot serve.
async function openPlace(): Promise<{ page: Page; complaints: string[] }> {
  const origin = await startHttpOrigin(scene);
  // Without a place to break it.
  const long = 'n'.repeat(63);
  const dead = `127.0.0.1:${await deadPort()}`;
  const hosts = [`${long}.${long}.${long}.example.com`];
  const served = await runSluice(scene, {
    workers: 2,
    engine: 'epoll',
    listeners: {
      in: {
        listen: '127.0.0.1:0',
        mode: 'http',
        routes: [{ pool: 'web' }, { hosts, pathPrefix: `/${'p'.repeat(200)}`, pool: long }],
      },
      [long]: { listen: '127.0.0.1:0', mode: 'tcp', routes: [{ pool: 'gone' }] },
    },
    pools: {
      web: { backends: [origin.address] },
      [long]: { backends: [dead, `[::ffff:127.0.0.1]:${await deadPort()}`] },
      gone: { backends: [] },
    },
  });
  const opened = await openDashboard(scene, browser, served.admin);
  await opened.page.getByRole('link', { name: 'Pool gone cannot serve' }).waitFor();
  return opened;
}

async function show(page: Page, name: string): Promise<void> {
  await page.evaluate(`location.hash = '#/${name}'`);
  const title = `${name[0]?.toUpperCase()}${name.slice(1)}`;
  await page.getByRole('heading', { level: 1, name: title }).waitFor();
}

it('needs no horizontal scrolling from 320 pixels to 4k', { timeout: 60_000 }, async () => {
  const { page, complaints } = await openPlace();
  for (const name of names) {
    await show(page, name);
    for (const width of widths) {
      await page.setViewportSize({ width, height: 900 });
      const over = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
      await until(
        `${name} fits into ${width} pixels`,
        async () => (await page.evaluate<number>(over)) <= 0,
        2000,
      );
    }
  }
  // The width is used, and charts follow it.
  await page.setViewportSize({ width: 3840, height: 2160 });
  await show(page, 'overview');
  const chart = page.locator('.chart canvas').first();
  await until('charts are wide', async () => ((await chart.boundingBox())?.width ?? 0) > 1500);
  await page.setViewportSize({ width: 320, height: 700 });
  await until('charts are narrow', async () => ((await chart.boundingBox())?.width ?? 0) < 300);
  expect(complaints).toEqual([]);
});

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

it('has the contrast, names and roles that WCAG asks for', { timeout: 90_000 }, async () => {
  const { page } = await openPlace();
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  // By the debugger's protocol, as the page's security policy does not let it in.
  await page.evaluate(axe);
  const run = async (what: string): Promise<void> => {
    const text = await page.evaluate<string>(
      'axe.run().then(({ violations }) => JSON.stringify(violations))',
    );
    const found = (JSON.parse(text) as Violation[]).flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${what}: ${id} ${html} ${failureSummary}`),
    );
    expect(found).toEqual([]);
  };
  for (const colour of colours) {
    await page.emulateMedia({ colorScheme: colour });
    for (const name of names) {
      await show(page, name);
      await run(`${name}, ${colour}`);
    }
  }
  await page.setViewportSize({ width: 320, height: 700 });
  await show(page, 'pools');
  await run('pools, narrow');
  await page.keyboard.press('?');
  await run('help');
});

it('is light or dark as the system says, or as somebody chose', async () => {
  const { page } = await openPlace();
  const back = (): Promise<string> =>
    page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
  await page.emulateMedia({ colorScheme: 'light' });
  const light = await back();
  await page.emulateMedia({ colorScheme: 'dark' });
  const dark = await back();
  expect(dark).not.toBe(light);
  await page.keyboard.press('t');
  expect(await back()).toBe(light);
  await page.reload();
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  expect(await back()).toBe(light);
  await page.keyboard.press('t');
  expect(await back()).toBe(dark);
  await page.emulateMedia({ colorScheme: 'light' });
  expect(await back()).toBe(dark);
  await page.keyboard.press('t');
  expect(await back()).toBe(light);
});

it('can be used by keyboard alone', async () => {
  const { page, complaints } = await openPlace();
  const focused = (): Promise<string> =>
    page.evaluate<string>('document.activeElement?.textContent || document.activeElement?.type');
  for (const name of [...names.slice(1), 'overview']) {
    await page.keyboard.press('g');
    await page.keyboard.press(name[0] ?? '');
    await page.getByRole('heading', { level: 1, name: new RegExp(name, 'i') }).waitFor();
    expect(new URL(page.url()).hash).toBe(`#/${name}`);
  }
  await page.goBack();
  await page.getByRole('heading', { name: 'Events' }).waitFor();

  await page.keyboard.press('g');
  await page.keyboard.press('p');
  await page.getByRole('heading', { level: 1, name: 'Pools' }).waitFor();
  await page.keyboard.press('/');
  await until('the search has the focus', async () => (await focused()) === 'search');
  await page.keyboard.type('gone');
  await until('it is searched', async () => (await page.getByRole('heading').count()) === 2);
  // Letters are text there.
  await page.keyboard.type('gp?');
  expect(await page.getByRole('dialog').count()).toBe(0);
  await page.keyboard.press('Escape');
  await until('the search is left', async () => (await page.getByRole('heading').count()) === 4);

  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });

  await page.reload();
  await page.getByRole('heading', { level: 1, name: 'Pools' }).waitFor();
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('Skip to the content');
  const outlines: string[] = [];
  for (let step = 0; step < 9; step++) {
    await page.keyboard.press('Tab');
    outlines.push(
      await page.evaluate<string>('getComputedStyle(document.activeElement).outlineStyle'),
    );
  }
  expect(new Set(outlines)).toEqual(new Set(['solid']));
  expect(complaints).toEqual([]);
});

it(`weighs less than ${sizeMax / 1000} kB, compressed`, () => {
  const folder = join(root, 'dist/ui');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(?:html|js|css|svg)$/.test(name))
    .map((name) => ({ name, bytes: gzipSync(readFileSync(join(folder, name))).byteLength }));
  const sum = files.reduce((total, { bytes }) => total + bytes, 0);
  console.log(`the page: ${sum} bytes, compressed`);
  expect(files.length).toBeGreaterThanOrEqual(4);
  expect(sum).toBeLessThan(sizeMax);
});
