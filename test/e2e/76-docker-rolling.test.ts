// Containers are replaced one by one under load, and no request fails: they are drained when they
// are told to end. The same with a balancer that learns of the end when it has come must fail.
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { useDockerEngine } from '../fixtures/docker-engine.ts';
import { buildOnce, type Program, start } from '../fixtures/programs.ts';
import { Metrics } from '../fixtures/prometheus-text.ts';
import { type Engine, forEachEngine, root, until, useScene } from '../fixtures/scene.ts';

const docker = useDockerEngine();
const scene = useScene();
beforeAll(() => {
  buildOnce();
  docker.importOrigin('test/app:1', 8080);
});

const rate = 2000;
const replicas = 4;
const fixture = (name: string): string => join(root, 'test/fixtures', name);

function within(...words: readonly string[]): Program {
  const [command = '', ...rest] = [...docker.within, process.execPath, ...words];
  return start(scene, command, rest);
}

const last = (program: Program): Record<string, unknown> =>
  JSON.parse(program.out.at(-1) ?? '{}') as Record<string, unknown>;

async function replaceAll(name: string, balancer: Program): Promise<void> {
  const balanced = (): string[] => (last(balancer)['balanced'] ?? []) as string[];
  for (let replica = 1; replica <= replicas; replica++) {
    const fresh = `${name}-new-${replica}`;
    await docker.dockerMeanwhile(...runApp(fresh));
    await until(`${fresh} is balanced`, () => balanced().includes(fresh), 15_000);
    await docker.dockerMeanwhile('stop', `${name}-old-${replica}`);
  }
}

// An answer takes 20 ms, so that some are always under way; it goes on for 600 ms after TERM.
const runApp = (name: string): string[] => [
  ...['run', '-d', '--rm', '--name', name, '--label', 'sluice.enable=true'],
  ...['test/app:1', '/origin', '8080', '600', '20'],
];

async function underLoad(engine: Engine, port: number, late: readonly string[] = []) {
  const name = `app-${port}`;
  for (let replica = 1; replica <= replicas; replica++) {
    docker.docker(...runApp(`${name}-old-${replica}`));
  }
  scene.after(() => {
    const left = docker.docker('ps', '-aq').split('\n').filter(Boolean);
    if (left.length > 0) docker.docker('rm', '-f', ...left);
  });
  const listen = `127.0.0.1:${port}`;
  const script = fixture('docker-balancer.mjs');
  const balancer = within(script, engine, '2', docker.endpoint, listen, ...late);
  const joined = (): boolean => (last(balancer)['balanced'] as string[] | undefined)?.length === 4;
  await until('all are balanced', joined, 15_000);
  const load = within(fixture('rated-load.mjs'), `http://${listen}/`, String(rate));
  await load.line(/started/);
  await replaceAll(name, balancer);
  load.tell('stop');
  const result = JSON.parse(await load.line(/total/)) as {
    total: number;
    duration: number;
    failed: Record<string, number>;
  };
  balancer.tell('metrics');
  const metrics = new Metrics(JSON.parse(await balancer.line(/sluice_build_info/)) as string);
  return { ...result, metrics };
}

const sumOf = (failed: Record<string, number>): number =>
  Object.values(failed).reduce((sum, one) => sum + one, 0);

describe('replacing all containers of an application', () => {
  forEachEngine((engine) => {
    it('fails no request', async () => {
      const { total, duration, failed, metrics } = await underLoad(engine, 8081);
      expect(failed).toEqual({});
      // The load was there all the time.
      expect(total / duration).toBeGreaterThan(rate * 0.7);
      expect(metrics.labels('sluice_worker_info', 'engine')).toEqual([engine]);
      console.log(`${engine}: ${total} requests in ${duration} s, none failed`);
    }, 60_000);
  });

  it('fails requests when the balancer learns of the end when it has come', async () => {
    const { total, failed } = await underLoad('epoll', 8082, ['late']);
    console.log(`late: ${JSON.stringify(failed)} of ${total}`);
    expect(sumOf(failed)).toBeGreaterThan(0);
  }, 60_000);
});
