// The access log under load, and in the hands of those who run it: rotation, a slow pipe, the end.
import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { Config } from '../../src/index.ts';
import { entriesOf, logged, readAllEntries } from '../fixtures/access-logs.ts';
import { httpConfig } from '../fixtures/http-balancers.ts';
import { get, openHttp } from '../fixtures/http-clients.ts';
import { buildLoad, freePorts, startLoad } from '../fixtures/load-programs.ts';
import { buildOnce, runSluice, type Served, startHttpProcess } from '../fixtures/programs.ts';
import {
  type Engine,
  forEachEngine,
  pause,
  root,
  type Scene,
  until,
  useScene,
} from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => {
  buildOnce();
  buildLoad(root);
});

const config = (engine: Engine, backend: string, accessLog: Config['accessLog']): Config =>
  httpConfig(engine, [backend], accessLog === undefined ? {} : { more: { accessLog } });

// A named pipe that somebody has open for reading and does not read.
function unreadPipe(own: Scene): { readonly path: string; readonly read: () => Buffer } {
  const path = join(own.folder(), 'pipe');
  if (spawnSync('mkfifo', [path]).status !== 0) throw new Error('no named pipe');
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  own.after(() => closeSync(fd));
  const buffer = Buffer.alloc(1 << 20);
  const read = (): Buffer => {
    try {
      return Buffer.from(buffer.subarray(0, readSync(fd, buffer)));
    } catch (error) {
      if ((error as { code?: string }).code === 'EAGAIN') return Buffer.alloc(0);
      throw error;
    }
  };
  return { path, read };
}

async function statesOf(served: Served) {
  return logged(await served.metrics());
}

forEachEngine((engine) => {
  it('loses and tears no line while the file is rotated under load', async () => {
    const [port = 0] = await freePorts(1);
    const folder = scene.folder();
    const path = join(folder, 'access.log');
    const served = await runSluice(scene, config(engine, `127.0.0.1:${port}`, { path }));
    const load = startLoad(scene, served.address(), [port], { seconds: 1.5, http: true });
    const rotated = (): number =>
      served.program.records().filter(({ message }) => message === 'access log opened again')
        .length;
    for (let nth = 1; nth <= 4; nth++) {
      await pause(300);
      renameSync(path, join(folder, `access.log.${nth}`));
      served.program.child.kill('SIGUSR1');
      await until('rotated', () => rotated() === nth);
    }
    const { errors, work } = await load.result;
    expect(errors).toBe(0);
    await until('all is logged', async () => {
      const { records, requests } = await statesOf(served);
      return records === requests;
    });
    const { records, dropped, writeErrors } = await statesOf(served);
    expect({ dropped, writeErrors }).toEqual({ dropped: 0, writeErrors: 0 });
    expect(records).toBeGreaterThanOrEqual(work);
    await served.prove(engine);
    served.program.child.kill('SIGTERM');
    expect(await served.program.exited).toEqual({ code: 0, signal: null });
    const entries = readAllEntries(folder, 'access.log');
    expect(entries).toHaveLength(records);
    expect(entries.every(({ backend }) => backend === `127.0.0.1:${port}`)).toBe(true);
    expect(served.program.output).not.toContain('ebugger');
  });

  it('serves on, and ends, beside a stdout that nobody reads', async () => {
    const backend = await startHttpProcess(scene, 'b');
    const pipe = unreadPipe(scene);
    const served = await runSluice(scene, config(engine, backend.address, {}), {
      under: ['sh', '-c', 'exec "$@" > "$0"', pipe.path],
    });
    const client = await openHttp(scene, served.address());
    const fields = `User-Agent: ${'u'.repeat(510)}\r\nReferer: ${'r'.repeat(1020)}\r\n`;
    const batch = get(`/${'p'.repeat(2000)}`, fields).repeat(100);
    let asked = 0;
    // A ring and what the logger holds are full after some 2,500 of these.
    for (let state = await statesOf(served); state.dropped < 100 && asked < 6000; ) {
      await client.send(batch);
      for (let nth = 0; nth < 100; nth++) expect((await client.answer()).status).toBe(200);
      asked += 100;
      state = await statesOf(served);
    }
    expect((await statesOf(served)).dropped).toBeGreaterThanOrEqual(100);
    // Read again, lines come again, whole ones, and every request was written or counted.
    const read = [pipe.read()];
    await until('the rest is written', async () => {
      for (let some = pipe.read(); some.length > 0; some = pipe.read()) read.push(some);
      const { records, dropped, requests } = await statesOf(served);
      return records + dropped === requests;
    });
    await client.ask(get('/after'));
    await until('a line again', () => {
      read.push(pipe.read());
      return Buffer.concat(read).includes('"/after"');
    });
    const { records, dropped, requests } = await statesOf(served);
    expect(requests).toBe(asked + 1);
    expect(entriesOf(Buffer.concat(read))).toHaveLength(records);
    expect(records + dropped).toBe(requests);
    // Unread again, it does not hold up the end.
    await client.send(batch);
    for (let nth = 0; nth < 100; nth++) await client.answer();
    client.close();
    await served.prove(engine);
    served.program.child.kill('SIGTERM');
    expect(await served.program.exited).toEqual({ code: 0, signal: null });
  });

  it('has written to stdout all there was when it ends', async () => {
    const backend = await startHttpProcess(scene, 'b');
    const served = await runSluice(scene, config(engine, backend.address, {}));
    const client = await openHttp(scene, served.address());
    for (let nth = 0; nth < 50; nth++) await client.ask(get(`/${nth}`));
    client.close();
    await served.prove(engine);
    served.program.child.kill('SIGUSR1');
    served.program.child.kill('SIGTERM');
    await served.program.exited;
    const entries = entriesOf(Buffer.from(`${served.program.out.join('\n')}\n`));
    expect(entries.map(({ path }) => path)).toEqual(
      Array.from({ length: 50 }, (_, nth) => `/${nth}`),
    );
  });
});
