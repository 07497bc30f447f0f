// Backends that are host names, asked of a real name server: they follow what the name stands for.
import { beforeAll, expect, it } from 'vitest';
import type { Config } from '../../src/index.ts';
import { simpleConfig } from '../fixtures/balancers.ts';
import { exchange, openClient } from '../fixtures/clients.ts';
import { DnsServer } from '../fixtures/dns-server.ts';
import { named, startOrigin } from '../fixtures/origins.ts';
import { buildOnce, runSluice } from '../fixtures/programs.ts';
import { forEachEngine, pause, until, useScene } from '../fixtures/scene.ts';

const scene = useScene();
beforeAll(() => buildOnce());

forEachEngine((engine) => {
  it('a name that moves takes its backend along, and breaks nothing', async () => {
    const dns = await DnsServer.start(scene);
    const one = await startOrigin(scene, { name: 'one', serve: named });
    const port = Number(one.address.split(':')[1]);
    await startOrigin(scene, { name: 'two', host: '127.0.0.2', port, serve: named });
    const other = await startOrigin(scene, { name: 'other', serve: named });
    dns.names.set('web.test', { addresses: ['127.0.0.1'], ttlSeconds: 1 });
    const config: Config = {
      ...simpleConfig(engine, [`web.test:${port}`]),
      dns: { servers: [dns.address] },
    };
    const served = await runSluice(scene, {
      ...config,
      pools: { ...config.pools, rest: { backends: [other.address] } },
    });
    const says = async (): Promise<string> => (await exchange(served.address())).toString();
    expect(await says()).toBe('one\n');
    const client = await openClient(scene, served.address());
    await client.receive(4);

    // Other answers beside the one that is in use change nothing.
    dns.names.set('web.test', { addresses: ['127.0.0.2', '127.0.0.1'], ttlSeconds: 1 });
    const asked = dns.queries;
    await until('asked again', () => dns.queries >= asked + 4);
    expect(await says()).toBe('one\n');

    dns.names.set('web.test', { addresses: ['127.0.0.2'], ttlSeconds: 1 });
    await until('moved', async () => (await says()) === 'two\n');
    client.write('still');
    expect((await client.receive(9)).toString()).toBe('one\nstill');

    dns.broken = true;
    const warned = 'a host name cannot be resolved, its last address stays';
    await served.program.record(warned);
    expect(await says()).toBe('two\n');
    served.program.child.kill('SIGHUP');
    await served.program.record('configuration read again');
    expect(await says()).toBe('two\n');

    dns.broken = false;
    await served.program.record('a host name is resolved again');
    dns.names.set('web.test', { addresses: ['127.0.0.1'], ttlSeconds: 1 });
    await until('moved back', async () => (await says()) === 'one\n');
    await pause(50);
    const warnings = served.program.records().filter(({ message }) => message === warned);
    expect(warnings).toHaveLength(1);
  });
});
