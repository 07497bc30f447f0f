// The page at /ui/, in a real browser, of a real balancer with real traffic.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BackendAnswer } from '../../src/admin/api-types.ts';
import {
  askApi,
  type Dashboard,
  openBrowser,
  openDashboard,
  startRequests,
} from '../fixtures/dashboard.ts';
import { describeCall, type HttpOrigin, startHttpOrigin } from '../fixtures/http-origins.ts';
import { buildOnce, runSluice, type Served } from '../fixtures/programs.ts';
import { type Engine, forEachEngine, pause, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
let browser: Browser;

beforeAll(async () => {
  buildOnce();
  browser = await openBrowser();
}, 120_000);
afterAll(() => browser?.close());

interface Place extends Dashboard {
  readonly served: Served;
  readonly origins: readonly HttpOrigin[];
}

const startOrigins = (): Promise<HttpOrigin[]> =>
  Promise.all(['a', 'b'].map((name) => startHttpOrigin(scene, describeCall, { name })));

async function openPlace(engine: Engine = 'io_uring'): Promise<Place> {
  const origins = await startOrigins();
  const served = await runSluice(scene, {
    workers: 2,
    engine,
    listeners: { in: { listen: '127.0.0.1:0', mode: 'http', routes: [{ pool: 'web' }] } },
    pools: { web: { backends: origins.map(({ address }) => address) } },
  });
  return { served, origins, ...(await openDashboard(scene, browser, served.admin)) };
}

const textOf = (page: Page, selector: string): Promise<string> =>
  page.locator(selector).first().innerText();

// The number in a tile, such as `1,234/s`; NaN while it says nothing.
async function tile(page: Page, name: string): Promise<number> {
  const text = await page.locator('.tile', { hasText: name }).locator('.tile-value').innerText();
  return Number(/^[\d,.]+/.exec(text)?.[0].replaceAll(',', ''));
}

// Canvases on which something was drawn.
const painted = (page: Page): Promise<number> =>
  page.evaluate<number>(`[...document.querySelectorAll('canvas')].filter((canvas) => {
    const { width, height } = canvas;
    return canvas.getContext('2d').getImageData(0, 0, width, height).data.some(Boolean);
  }).length`);

const isLive = (page: Page): Promise<void> =>
  page.getByRole('status', { name: 'Health' }).getByText('healthy').waitFor();

// Both keys within the second that the page waits for the other.
async function go(page: Page, letter: string): Promise<void> {
  await page.keyboard.press('g');
  await page.keyboard.press(letter);
}

const backendOf = async ({ served }: Place, id: string): Promise<BackendAnswer> =>
  (await askApi<BackendAnswer>(served, `/pools/web/backends/${encodeURIComponent(id)}`)).body;

forEachEngine((engine) => {
  it('shows the traffic as it is, and its end', { timeout: 60_000 }, async () => {
    const { page, served, complaints } = await openPlace(engine);
    await isLive(page);
    await until('no requests', async () => (await tile(page, 'Requests')) === 0, 10_000);
    const load = startRequests(scene, served.address() as { host: string; port: number });
    await until('requests', async () => (await tile(page, 'Requests')) > 20, 10_000);
    const before = Date.now();
    const counted = async (): Promise<number> =>
      (await askApi<{ requests: { total: number } }>(served, '/stats')).body.requests.total;
    const start = await counted();
    await pause(5000);
    const rate = ((await counted()) - start) / ((Date.now() - before) / 1000);
    const shown = await tile(page, 'Requests');
    expect(shown / rate).toBeGreaterThan(0.5);
    expect(shown / rate).toBeLessThan(2);
    expect(await tile(page, 'Latency')).toBeGreaterThan(0);
    expect(await tile(page, 'Error rate')).toBe(0);
    expect(await tile(page, 'Backends up')).toBe(2);
    expect(await painted(page)).toBe(4);
    expect(await textOf(page, '.legend')).toMatch(/requests [\d,.]+/);
    await go(page, 'r');
    await page.getByRole('row', { name: /every host/ }).waitFor();
    load.stop();
    await go(page, 'o');
    await until('no requests again', async () => (await tile(page, 'Requests')) === 0, 15_000);
    expect(complaints).toEqual([]);
  });
});

describe('changes', () => {
  it('drains and undrains by a click, and shows it when it is done', async () => {
    const place = await openPlace();
    const { page, served, origins, complaints } = place;
    const [a] = origins;
    const id = a?.address ?? '';
    startRequests(scene, served.address() as { host: string; port: number });
    await isLive(page);
    await go(page, 'p');
    const row = page.getByRole('row', { name: id });
    await row.getByText('up', { exact: true }).waitFor();
    // The answer is held up: until it is there, nothing is shown as done.
    await page.route('**/drain', async (route) => {
      await pause(500);
      await route.continue();
    });
    await row.getByRole('button', { name: `Drain ${id}` }).click();
    await row.getByText('Wait…').waitFor();
    expect(await row.getByText('up', { exact: true }).isVisible()).toBe(true);
    await row.getByText('drained', { exact: true }).waitFor();
    expect((await backendOf(place, id)).state).toBe('drained');
    const calls = a?.calls.length;
    await pause(500);
    expect(a?.calls.length).toBe(calls);
    await page.getByText(`Drain ${id}`, { exact: true }).waitFor();

    await row.getByRole('button', { name: `Undrain ${id}` }).click();
    await row.getByText('up', { exact: true }).waitFor();
    expect((await backendOf(place, id)).state).toBe('up');
    await until('it is asked again', () => (a?.calls.length ?? 0) > (calls ?? 0));

    await go(page, 'e');
    await page.getByRole('row', { name: /backend:drained/ }).waitFor();
    expect(complaints).toEqual([]);
  });

  it('sets a weight, and asks before a pool would be left without backends', async () => {
    const place = await openPlace();
    const { page, origins, complaints } = place;
    const [a = '', b = ''] = origins.map(({ address }) => address);
    await isLive(page);
    await go(page, 'p');
    await page.getByLabel(`Weight of ${a} in web`).fill('7');
    await page.keyboard.press('Enter');
    await until('the weight is set', async () => (await backendOf(place, a)).weight === 7);
    await until('it is shown', async () => {
      const field = page.getByLabel(`Weight of ${a} in web`);
      return (await field.isEnabled()) && (await field.inputValue()) === '7';
    });

    await page.getByRole('button', { name: `Drain ${a}` }).click();
    await page.getByRole('row', { name: a }).getByText('drained', { exact: true }).waitFor();
    const dialog = page.getByRole('dialog', { name: 'Drain the last backend of web?' });
    await page.getByRole('button', { name: `Drain ${b}` }).click();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await dialog.waitFor({ state: 'detached' });
    expect((await backendOf(place, b)).state).toBe('up');
    await page.getByRole('button', { name: `Drain ${b}` }).click();
    await dialog.getByRole('button', { name: 'Drain' }).click();
    await until('it is drained', async () => (await backendOf(place, b)).state === 'drained');
    await go(page, 'o');
    await page.getByRole('link', { name: 'Pool web cannot serve' }).waitFor();
    await page.getByText('none of its 2 backends takes new work').waitFor();
    await page.locator('.tile.tone-bad', { hasText: 'Backends up' }).waitFor();
    expect(complaints).toEqual([]);
  });

  it('removes after it has asked, and shows what the balancer refuses in its words', async () => {
    const place = await openPlace();
    const { page, served, origins } = place;
    const [a = '', b = ''] = origins.map(({ address }) => address);
    await isLive(page);
    await go(page, 'p');
    await page.getByRole('button', { name: `Remove ${a}` }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await page.getByRole('row', { name: a }).waitFor({ state: 'detached' });
    expect((await askApi(served, `/pools/web/backends/${encodeURIComponent(a)}`)).status).toBe(404);
    // The page does not hear that the other one goes, too.
    await page.route('**/api/v1/pools', () => {});
    const path = `/pools/web/backends/${encodeURIComponent(b)}`;
    expect((await askApi(served, path, { method: 'DELETE' })).status).toBeLessThan(300);
    await until('it is gone', async () => (await askApi(served, path)).status === 404);
    await page.getByLabel(`Weight of ${b} in web`).fill('3');
    await page.getByRole('button', { name: `Set the weight of ${b}` }).click();
    const notice = page.locator('.notice-bad', { hasText: b });
    const { body } = await askApi<{ detail: string }>(served, path);
    expect(body.detail).toContain(b);
    await notice.getByText(body.detail).waitFor();
    await page.unroute('**/api/v1/pools');
    await notice.getByRole('button', { name: 'Dismiss' }).click();
    await notice.waitFor({ state: 'detached' });
    // Without a backend nobody can prove which workers serve.
    const undo = { method: 'POST', body: JSON.stringify({ address: b }) };
    const headers = { 'content-type': 'application/json' };
    expect((await askApi(served, '/pools/web/backends', { ...undo, headers })).status).toBeLessThan(
      300,
    );
    await page.getByRole('row', { name: b }).waitFor();
  });
});
