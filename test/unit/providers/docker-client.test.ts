import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { endpointOf, parseEndpoint } from '../../../src/config/endpoint.ts';
import {
  DockerClient,
  eventOf,
  negotiated,
  versionsKnown,
} from '../../../src/providers/docker-client.ts';
import { remedyFor } from '../../../src/providers/docker-endpoint.ts';
import { containerOf, endsContainer, signalOf } from '../../../src/providers/docker-facts.ts';
import { isOfImage, mappingsOf, referenceOf } from '../../../src/providers/docker-images.ts';
import { Leaving } from '../../../src/providers/docker-leaving.ts';
import { container } from '../../fixtures/containers.ts';
import { pause, type Scene, until, useScene } from '../../fixtures/scene.ts';

const scene = useScene();
const { signal } = new AbortController();

async function engine(on: Scene, answer: RequestListener, timeoutMs = 2000): Promise<DockerClient> {
  const path = join(on.folder(), 'd.sock');
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const endpoint = parseEndpoint(`unix://${path}`);
  if (endpoint === undefined) throw new Error('no endpoint');
  const client = new DockerClient(endpoint, timeoutMs);
  on.after(() => {
    client.close();
    server.closeAllConnections();
    server.close();
  });
  return client;
}

describe('the version of the API', () => {
  it.each([
    ['1.41', '1.12', '1.41'],
    ['1.24', undefined, '1.24'],
    ['1.99', '1.44', versionsKnown.last],
    ['1.99', '1.60', '1.60'],
    ['2.3', '1.60', '1.60'],
    ['1.23', '1.12', undefined],
    ['', undefined, undefined],
  ])('of an engine that speaks %s and no older than %s is %s', (newest, oldest, spoken) => {
    expect(negotiated(newest, oldest)).toBe(spoken);
  });

  it('is asked for first, and is in every path after it', async () => {
    const paths: string[] = [];
    const client = await engine(scene, ({ url = '' }, response) => {
      paths.push(url);
      response.end(url === '/version' ? '{"ApiVersion":"1.44","MinAPIVersion":"1.44"}' : '[]');
    });
    expect(await client.connect(signal)).toMatchObject({ apiVersion: '1.44' });
    expect(await client.containers(signal)).toEqual([]);
    expect(paths).toEqual(['/version', '/v1.44/containers/json']);
  });
});

describe('an engine that fails', () => {
  it('is quoted with what it was asked', async () => {
    const client = await engine(scene, (_, response) => {
      response.writeHead(403).end('{"message":"forbidden by the proxy"}');
    });
    await expect(client.connect(signal)).rejects.toThrow(
      'the engine answers 403 to /version: forbidden by the proxy',
    );
  });
  it('is not waited for', async () => {
    const silent = await engine(scene, () => {}, 50);
    await expect(silent.connect(signal)).rejects.toThrow(/no answer to \/version within 50 ms/);
    const half = await engine(scene, (_, response) => void response.write('{'), 50);
    await expect(half.connect(signal)).rejects.toThrow(/not complete within 50 ms/);
  });
  it('says that a container is gone', async () => {
    const client = await engine(scene, (_, response) => void response.writeHead(404).end('{}'));
    expect(await client.inspect('a', signal)).toBeUndefined();
  });
  it('ends its events by an error, after those that came', async () => {
    const event = {
      Type: 'container',
      Action: 'die',
      Actor: { ID: 'abc', Attributes: {} },
      time: 7,
    };
    const client = await engine(scene, (_, response) => {
      const text = JSON.stringify(event);
      response.write(`${text.slice(0, 20)}`);
      setTimeout(() => response.end(`${text.slice(20)}\n`), 20);
    });
    const events = await client.events('0', signal);
    expect((await events.next()).value).toMatchObject({ action: 'die', container: 'abc' });
    await expect(events.next()).rejects.toThrow('ended the stream of events');
  });
});

describe('an event', () => {
  it('keeps the nanoseconds that JSON would lose', () => {
    const line =
      '{"Type":"network","Action":"connect","Actor":{"ID":"n","Attributes":{"container":"c"}},' +
      '"time":1760000000,"timeNano":1760000000123456789}';
    expect(eventOf(line)).toMatchObject({ container: 'c', at: '1760000000.123456789' });
    expect(eventOf('{"Type":"network","Action":"create","Actor":{"ID":"n"}}')).toBeUndefined();
  });
});

describe('endpoints', () => {
  it.each([
    ['unix:///run/d.sock', { kind: 'socket', path: '/run/d.sock' }],
    ['/run/d.sock', { kind: 'socket', path: '/run/d.sock' }],
    ['tcp://10.0.0.1:2375', { kind: 'tcp', host: '10.0.0.1', port: 2375 }],
    ['tcp://engine', { kind: 'tcp', host: 'engine', port: 2375 }],
    ['https://engine/', { kind: 'tcp', host: 'engine', port: 2376 }],
    ['tcp://[::1]:9', { kind: 'tcp', host: '::1', port: 9 }],
  ])('%s', (text, where) => {
    expect(parseEndpoint(text)?.where).toEqual(where);
  });
  it.each(['', 'ssh://me@host', 'npipe:////./pipe/x', 'tcp://', 'tcp://h:0', 'tcp://h:65536'])(
    '%j is none',
    (text) => expect(parseEndpoint(text)).toBeUndefined(),
  );

  it('come from the environment as for every client of Docker', () => {
    expect(endpointOf(undefined, undefined, {})?.text).toBe('unix:///var/run/docker.sock');
    const plain = { DOCKER_HOST: 'tcp://h' };
    expect(endpointOf(undefined, undefined, plain)).toMatchObject({ tls: undefined });
    const env = { ...plain, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/certs' };
    const found = endpointOf(undefined, undefined, env);
    expect(found).toMatchObject({ where: { port: 2376 }, tls: { ca: '/certs/ca.pem' } });
    expect(endpointOf('unix:///x', undefined, env)?.where).toMatchObject({ path: '/x' });
    expect(endpointOf(undefined, undefined, { DOCKER_HOST: 'ssh://x' })).toBeUndefined();
  });

  it('that are not reached say what may help', () => {
    const socket = parseEndpoint('/run/d.sock');
    const remote = parseEndpoint('tcp://h');
    if (socket === undefined || remote === undefined) throw new Error('no endpoints');
    const of = (code: string) => Object.assign(new Error('x'), { code });
    expect(remedyFor(socket, of('EACCES'))).toMatch(/group/);
    expect(remedyFor(socket, of('ENOENT'))).toMatch(/mounted/);
    expect(remedyFor(socket, of('ECONNREFUSED'))).toMatch(/running/);
    expect(remedyFor(remote, of('ECONNRESET'))).toMatch(/tls/);
    expect(remedyFor(remote, of('DEPTH_ZERO_SELF_SIGNED_CERT'))).toMatch(/ca, cert and key/);
    expect(remedyFor(remote, of('ETIMEDOUT'))).toMatch(/reached from here/);
  });
});

describe('images', () => {
  it.each([
    ['nginx:alpine', 'nginx', true],
    ['nginx:alpine', 'nginx:alpine', true],
    ['docker.io/library/nginx:alpine', 'nginx:alpine', true],
    ['nginx', 'nginx:latest', true],
    ['nginx:alpine', 'nginx:latest', false],
    ['nginx@sha256:aa', 'nginx', true],
    ['nginx@sha256:aa', 'nginx:latest', false],
    ['localhost:5000/a/b:1', 'localhost:5000/a/b', true],
    ['a/nginx', 'nginx', false],
    ['x', 'abababababab', true],
    ['x', 'sha256:cdcdcdcdcdcd', false],
  ])('%s is of %s: %s', (image, mapped, expected) => {
    expect(isOfImage(container({}, { image }), mapped)).toBe(expected);
  });
  it('are read as engines write them', () => {
    expect(referenceOf('localhost:5000/a')).toEqual({
      repository: 'localhost:5000/a',
      tag: undefined,
      digest: undefined,
    });
  });
  it('are mapped once a place, at run time before the configuration', () => {
    const stated = [
      { image: 'a', listen: ':80', port: 1 },
      { image: 'b', listen: '81', port: 1 },
    ];
    const atRunTime = [{ image: 'c', listen: '80', port: 1 }];
    expect(mappingsOf(stated, atRunTime).map(({ image }) => image)).toEqual(['c', 'b']);
  });
});

describe('signals', () => {
  it('end a container when they are its own or the usual ones', () => {
    expect([signalOf('SIGQUIT'), signalOf('quit'), signalOf('3')]).toEqual([3, 3, 3]);
    expect(signalOf('SIGRTMIN+3')).toBe(37);
    expect(signalOf('SIGNONE')).toBeUndefined();
    const winch = container({}, { stopSignal: 28 });
    expect(endsContainer('28', winch)).toBe(true);
    expect(endsContainer('28', container())).toBe(false);
    for (const usual of ['2', '3', '9', '15']) expect(endsContainer(usual, winch)).toBe(true);
    expect(endsContainer('1', undefined)).toBe(false);
  });

  it('give a container its stop timeout, and no more', async () => {
    const overdue: string[] = [];
    const leaving = new Leaving((id) => void overdue.push(id));
    scene.after(() => leaving.clear());
    const seconds = (ago: number) => String(Date.now() / 1000 - ago);
    // Told 1.9 s ago with no time at all: 0.1 s of the slack is left.
    expect(leaving.told('a', seconds(1.9), 0)).toBe(true);
    expect(leaving.told('a', seconds(1.9), 0)).toBe(false);
    expect(leaving.told('b', seconds(60), 10_000)).toBe(false);
    expect(leaving.reason('a')).toBe('it was told to end');
    await until('it is overdue', () => overdue.length === 1);
    expect(leaving.reason('a')).toBeUndefined();
    expect(leaving.ended('c', seconds(0))).toBe(true);
    expect(leaving.stays('c')).toBe(true);
    expect(leaving.ended('d', seconds(30))).toBe(false);
    await pause(0);
  });
});

describe('what an engine says of a container', () => {
  it('is read as far as it is there', () => {
    expect(containerOf({})).toBeUndefined();
    expect(containerOf(null)).toBeUndefined();
    expect(containerOf({ Id: 'ab'.repeat(32) })).toMatchObject({
      name: 'abababababab',
      status: 'unknown',
      health: 'none',
      stopTimeoutMs: 10_000,
      networks: [],
    });
    const inspected = {
      Id: 'a',
      Name: '/web',
      Config: { ExposedPorts: { '443/tcp': {}, '80/tcp': {}, '53/udp': {} }, StopTimeout: 0 },
      NetworkSettings: { Networks: { b: { GlobalIPv6Address: 'fd00::2' }, a: null } },
    };
    expect(containerOf(inspected)).toMatchObject({
      name: 'web',
      exposed: [80, 443],
      stopTimeoutMs: 0,
      networks: [
        { name: 'a', address: '' },
        { name: 'b', address: 'fd00::2' },
      ],
    });
  });
});
