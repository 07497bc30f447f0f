// Every line of docs/admin-api.md that users may type, typed.
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, it } from 'vitest';
import { startHttpOrigin } from '../fixtures/http-origins.ts';
import { freePorts } from '../fixtures/load-programs.ts';
import { buildOnce, serving, startRun } from '../fixtures/programs.ts';
import { forEachEngine, root, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => buildOnce());

const text = readFileSync(join(root, 'docs/admin-api.md'), 'utf8');
const lines = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) =>
  block.trim().split('\n'),
);

forEachEngine((engine) => {
  it('docs/admin-api.md says what happens', async () => {
    expect(lines.length).toBeGreaterThan(30);
    const [admin, listener, server, domains, ...backends] = await freePorts(7);
    for (const port of backends) await startHttpOrigin(scene, undefined, { port });
    const ports: Readonly<Record<string, number | undefined>> = {
      9123: admin,
      8081: server,
      8080: domains,
      9001: backends[0],
      9002: backends[1],
      9003: backends[2],
    };
    const folder = scene.folder();
    const file = join(folder, 'sluice.json');
    const routes = [{ pool: 'web' }];
    const config = {
      workers: 2,
      engine,
      listeners: { web: { listen: `127.0.0.1:${listener}`, mode: 'http', routes } },
      pools: { web: { backends: [`127.0.0.1:${backends[0]}`] } },
    };
    writeFileSync(file, JSON.stringify(config));
    const env = {
      ...process.env,
      LOAD_BALANCER_PORT: String(domains),
      DOMAIN_DATA_PATH: join(folder, 'data/domains.json'),
    };
    const args = ['--admin', `127.0.0.1:${admin}`];
    await serving(scene, startRun(scene, file, { args, spawn: { env } }), engine);
    for (const line of lines) {
      const typed = line
        .replace(/^curl /, 'curl --silent --show-error --fail-with-body --max-time 10 ')
        .replaceAll(/\b(?:9123|808[01]|900[123])\b/g, (port) => String(ports[port]));
      const { stdout } = await promisify(execFile)('sh', ['-c', typed]).catch((error) => {
        throw new Error(`${line}\n${error.stdout}${error.stderr}`);
      });
      if (/-X|-H|\b8081\b$/.test(line)) continue;
      expect(() => JSON.parse(stdout), `${line}\n${stdout}`).not.toThrow();
    }
  });
});
