// The kernel refuses io_uring, as the default profiles of Docker and containerd make it do.
import { beforeAll, describe, expect, it } from 'vitest';
import { assertServedBy, serveByAll, simpleConfig } from '../fixtures/balancers.ts';
import { exchange } from '../fixtures/clients.ts';
import { nameOnly, startOrigin } from '../fixtures/origins.ts';
import { buildOnce, compiled, runSluice, startRun, writeConfig } from '../fixtures/programs.ts';
import { useScene } from '../fixtures/scene.ts';

const scene = useScene();
let under: readonly string[] = [];
beforeAll(() => {
  buildOnce();
  under = [compiled('no-uring')];
});

describe('where io_uring is refused', () => {
  it('epoll serves, and one line says why and what to do', async () => {
    const { address } = await startOrigin(scene, { name: 'a', serve: nameOnly });
    const config = { ...simpleConfig('epoll', [address]), engine: 'auto' } as const;
    const served = await runSluice(scene, config, { under, engine: 'epoll' });
    await serveByAll(served.address(), () => served.metrics());
    expect((await exchange(served.address())).toString()).toBe('a');
    const metrics = await served.metrics();
    assertServedBy(metrics, 'epoll');
    expect(metrics.labels('sluice_worker_info', 'fallback')).toEqual(['refused_permission']);
    const lines = served.program.records().filter(({ level }) => level === 'warn');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      message: 'io_uring is not available, epoll is used',
      reason: 'refused_permission',
      cause: expect.stringMatching(/seccomp|kernel\.io_uring_disabled/),
      remedy: expect.stringMatching(/io_uring_setup|sysctl/),
    });
  });

  it('nothing is started when io_uring is demanded', async () => {
    const file = writeConfig(scene, simpleConfig('io_uring', []));
    const program = startRun(scene, file, { under });
    expect(await program.exited).toEqual({ code: 1, signal: null });
    expect(program.output).toMatch(/did not start.*(seccomp|sysctl).*ERR_SLUICE_START/);
  });

  it('epoll is asked for without a word', async () => {
    const served = await runSluice(scene, simpleConfig('epoll', []), { under });
    expect(served.program.records().filter(({ level }) => level !== 'info')).toEqual([]);
    expect((await served.metrics()).labels('sluice_worker_info', 'fallback')).toEqual(['none']);
  });
});
