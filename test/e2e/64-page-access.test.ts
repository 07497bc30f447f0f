// Who may see the page, what it does when the balancer goes away, and what others put into it.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ContainersAnswer } from '../../src/admin/api-types.ts';
import type { Config } from '../../src/index.ts';
import { askApi, openBrowser, openDashboard, uiOf } from '../fixtures/dashboard.ts';
import { startHttpOrigin } from '../fixtures/http-origins.ts';
import { freePorts } from '../fixtures/load-programs.ts';
import { buildOnce, runSluice, type Served, startRun, writeConfig } from '../fixtures/programs.ts';
import { until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
let browser: Browser;

beforeAll(async () => {
  buildOnce();
  browser = await openBrowser();
}, 120_000);
afterAll(() => browser?.close());

async function configOf(more: Partial<Config> = {}): Promise<Config> {
  const origin = await startHttpOrigin(scene);
  return {
    workers: 2,
    engine: 'io_uring',
    listeners: { in: { listen: '127.0.0.1:0', mode: 'http', routes: [{ pool: 'web' }] } },
    pools: { web: { backends: [origin.address] } },
    ...more,
  };
}

// Leaves an event, and everything as it was.
async function drainOnce(served: Served, backend: string): Promise<void> {
  const path = `/pools/web/backends/${encodeURIComponent(backend)}`;
  for (const verb of ['drain?wait=true', 'undrain']) {
    const { status } = await askApi(served, `${path}/${verb}`, { method: 'POST' });
    expect(status).toBe(200);
  }
}

it('asks for a token, keeps it for the tab, and shows nothing without', async () => {
  const token = 'a-token-of-some-length';
  const [port = 0] = await freePorts(1);
  const config = await configOf({ admin: { listen: `127.0.0.1:${port}`, tokens: [token] } });
  const program = startRun(scene, writeConfig(scene, config), {
    args: ['--admin', `127.0.0.1:${port}`],
  });
  await program.record('serving');
  const admin = { host: '127.0.0.1', port };
  const { page } = await openDashboard(scene, browser, admin);
  const field = page.getByLabel('Token', { exact: true });
  await field.waitFor();
  expect(await page.getByRole('row').count()).toBe(0);
  await field.fill('another-token-of-some-length');
  const refused = page.waitForResponse((response) => response.status() === 401);
  await page.keyboard.press('Enter');
  await refused;
  await field.fill(token);
  await page.keyboard.press('Enter');
  await page
    .getByRole('row', { name: /127\.0\.0\.1/ })
    .first()
    .waitFor();
  expect(page.url()).not.toContain(token);
  await page.reload();
  await page
    .getByRole('row', { name: /127\.0\.0\.1/ })
    .first()
    .waitFor();
  const other = await openDashboard(scene, browser, admin);
  await other.page.getByLabel('Token', { exact: true }).waitFor();
});

it('says that the balancer is away, and goes on when it is back', { timeout: 60_000 }, async () => {
  const [port = 0] = await freePorts(1);
  const config = await configOf();
  const args = ['--admin', `127.0.0.1:${port}`];
  const first = await runSluice(scene, config, { args });
  const { page } = await openDashboard(scene, browser, first.admin);
  await page.getByRole('status', { name: 'Health' }).getByText('healthy').waitFor();
  expect(await page.getByRole('alert').count()).toBe(0);
  const [address = ''] = (config.pools?.['web']?.backends ?? []) as string[];
  await drainOnce(first, address);
  await first.prove('io_uring');
  first.program.child.kill('SIGKILL');
  await page.getByRole('alert').getByText('No connection to the balancer.').waitFor();
  await page.getByRole('status', { name: 'Health' }).getByText('not connected').waitFor();
  // What is known stays to be read.
  expect(await page.getByRole('row', { name: /web/ }).count()).toBe(1);
  await first.program.exited;
  const second = await runSluice(scene, config, { args });
  await page.getByRole('status', { name: 'Health' }).getByText('healthy').waitFor();
  await page.getByRole('alert').waitFor({ state: 'detached' });
  // After what is known of the first process, what the second one says.
  await page.goto(`${uiOf(first.admin)}#/events`);
  const drained = page.getByRole('row', { name: /backend:drained/ });
  expect(await drained.count()).toBe(1);
  await drainOnce(second, address);
  await until('both are listed', async () => (await drained.count()) === 2);
});

const hostile = '<img src=x onerror="document.title=\'owned\'"><script>alert(1)</script>';

it('shows why a container is skipped, and takes no name or reason as HTML', async () => {
  const served = await runSluice(scene, await configOf());
  const { page, complaints } = await openDashboard(scene, browser, served.admin);
  // No container engine is needed for what it may say.
  const answer: ContainersAnswer = {
    provider: { endpoint: `unix:/${hostile}`, connected: false, error: hostile },
    containers: [
      {
        id: hostile,
        name: hostile,
        image: hostile,
        state: 'skipped',
        reason: `it exposes two ports ${hostile}`,
        address: hostile,
        pools: [hostile],
        routes: [hostile],
      },
      { id: '1', name: 'fine', image: 'i', state: 'balanced', pools: [], routes: [] },
    ],
  };
  await page.route('**/api/v1/containers', (route) => route.fulfill({ json: answer }));
  await page.reload();
  await page.getByText(`Container ${hostile} is skipped`).waitFor();
  await page.keyboard.press('g');
  await page.keyboard.press('c');
  const rows = page.getByRole('row');
  await page.getByText('2 containers, 1 skipped').waitFor();
  // First of all, with its reason.
  expect(await rows.nth(1).innerText()).toContain(`it exposes two ports ${hostile}`);
  expect(await page.locator('main img, main script').count()).toBe(0);
  expect(await page.title()).toBe('containers · sluice');
  await page.getByRole('searchbox').fill('FINE');
  await until('the other row is gone', async () => (await rows.count()) === 2);
  expect(complaints).toEqual([]);
});
