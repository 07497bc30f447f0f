// The walk-through of docker-loadbalancer's README, command by command: the images have its names
// and are made here, and its load balancer is sluice.
import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { useDockerEngine } from '../fixtures/docker-engine.ts';
import { importSluice } from '../fixtures/docker-image.ts';
import { buildOnce } from '../fixtures/programs.ts';
import { until } from '../fixtures/scene.ts';

const docker = useDockerEngine();
beforeAll(() => {
  buildOnce();
  docker.importOrigin('nginx:alpine', 80);
  importSluice(docker, 'indiketa/docker-loadbalancer', {
    workers: 2,
    providers: { docker: {} },
    admin: { listen: '127.0.0.1:9123' },
  });
}, 120_000);

function shell(command: string): string {
  const words = ['-e', '-c', command];
  const { status, stdout, stderr } = spawnSync('bash', words, {
    env: docker.env,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${command}\n${stderr}`);
  // A container writes its log to the stream it was written to.
  return stdout + stderr;
}

const logs = (message: string): Record<string, unknown>[] =>
  shell('docker logs lb')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => line['message'] === message);
const joined = (): unknown[] =>
  logs('container joined').map(({ container, address, routes }) => [container, address, routes]);

// Who answers, in many tries.
function answers(): string[] {
  const all = Array.from({ length: 8 }, () => docker.curl('http://127.0.0.1:80/'));
  return [...new Set(all)].sort();
}
const hello = (name: string): string =>
  `hello from ${docker.docker('inspect', '-f', '{{.Config.Hostname}}', name)}\n`;

describe('the walk-through of docker-loadbalancer', () => {
  it('web1, the load balancer, its log, web2, its log', async () => {
    shell(`docker run -d \\
         --rm \\
         --label "lb.enable=Y"  \\
         --label "lb.publish=80" \\
         --label "lb.target=80" \\
         --name web1 \\
         nginx:alpine`);
    shell(`docker run \\
        -d \\
        --net host \\
        -v /var/run/docker.sock:/var/run/docker.sock \\
        --name lb \\
        indiketa/docker-loadbalancer`);
    await until('web1 is balanced', () => joined().length === 1, 10_000);
    const first = ['web1', '172.17.0.2:80', ['http :80 /']];
    expect(joined()).toEqual([first]);
    await until('port 80 answers', () => answers().join() === hello('web1'));

    shell(`docker run -d \\
         --rm \\
         --label "lb.enable=Y"  \\
         --label "lb.publish=80" \\
         --label "lb.target=80" \\
         --name web2 \\
         nginx:alpine`);
    await until('web2 is balanced', () => joined().length === 2);
    expect(joined()).toEqual([first, ['web2', '172.17.0.3:80', ['http :80 /']]]);
    const both = [hello('web1'), hello('web2')].sort();
    await until('both answer', () => answers().join() === both.join());
  });

  it('a container that stops leaves; the port closes with the last one', async () => {
    const two = hello('web2');
    shell('docker stop web1');
    await until('web2 alone answers', () => answers().join() === two);
    expect(logs('container drains')).toMatchObject([
      { container: 'web1', reason: 'it was told to end' },
    ]);
    const format = '%{http_code} %{errormsg}';
    const tried = (): string =>
      docker.curl('-o', '/dev/null', '-w', format, 'http://127.0.0.1:80/');
    expect(tried()).toMatch(/^200/);
    shell('docker stop web2');
    await until('the port is closed', () => /^000 .*[Rr]efused|^000 .*connect/.test(tried()));
    const metrics = docker.curl('http://127.0.0.1:9123/metrics');
    expect(metrics).toMatch(/^sluice_provider_errors_total\{provider="docker"\} 0$/m);
    expect(metrics).toMatch(/^sluice_provider_last_sync_timestamp_seconds\{.*\} 1\.?\d+/m);
    expect(metrics).not.toContain('sluice_listener_connections{listener="docker:80"');
  });

  it('a label that needs TLS skips its container, and says so', async () => {
    shell(`docker run -d --rm --label lb.enable=Y --label lb.publish=443 --label lb.target=80 \\
      --label lb.ssl=/etc/site.pem --name secure nginx:alpine`);
    await until('it is skipped', () => logs('container skipped').length === 1);
    expect(logs('container skipped')[0]).toMatchObject({
      container: 'secure',
      reason: expect.stringMatching(/lb\.ssl: TLS is not supported yet/),
    });
    shell('docker stop lb secure');
    expect(docker.docker('inspect', '-f', '{{.State.ExitCode}}', 'lb')).toBe('0');
  });

  it('in a network of its own, it reaches containers by what they share', async () => {
    shell('docker network create front');
    shell('docker rm lb');
    shell(`docker run -d --network front -v /var/run/docker.sock:/var/run/docker.sock --name lb \
      indiketa/docker-loadbalancer`);
    shell(`docker create --label lb.enable=Y --label lb.publish=80 --label lb.target=80 \
      --name both nginx:alpine`);
    shell('docker network connect front both && docker start both');
    shell(`docker run -d --label lb.enable=Y --label lb.publish=80 --label lb.target=80 \
      --name away nginx:alpine`);
    await until('it is balanced', () => joined().length === 1);
    const addressOf = (name: string): string =>
      shell(`docker inspect -f '{{.NetworkSettings.Networks.front.IPAddress}}' ${name}`).trim();
    expect(joined()).toEqual([['both', `${addressOf('both')}:80`, ['http :80 /']]]);
    await until('the other is skipped', () => logs('container skipped').length > 0);
    expect(logs('container skipped')[0]).toMatchObject({
      container: 'away',
      reason: 'no network is shared: it is in bridge, sluice in front',
    });
    await until('it answers', () => docker.curl(`http://${addressOf('lb')}/`) === hello('both'));
    shell('docker rm -f lb both away && docker network rm front');
  });
});
