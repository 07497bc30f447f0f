import {
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { FileWatch, foldersOf, type WatchOptions } from '../../../src/providers/watch.ts';
import { pause, until, useScene } from '../../fixtures/scene.ts';

const scene = useScene();
let folder = '';
let changes = 0;
let misses = 0;
beforeEach(() => {
  folder = scene.folder();
  changes = 0;
  misses = 0;
});

function follow(path: string, options: Partial<WatchOptions> = {}): void {
  const watch = new FileWatch(path, {
    changed: () => changes++,
    missing: () => misses++,
    settleMs: 30,
    // Later than any test waits: events alone must do.
    pollMs: 60_000,
    ...options,
  });
  scene.after(() => watch.close());
}
const told = (count: number): Promise<void> => until(`${count} changes`, () => changes >= count);

describe('a watched file', () => {
  it('that is written in place, in pieces, changes once', async () => {
    const path = join(folder, 'a.yaml');
    writeFileSync(path, 'one');
    follow(path);
    for (const text of ['', 'two', 'two, and more']) writeFileSync(path, text);
    await told(1);
    await pause(150);
    expect(changes).toBe(1);
    writeFileSync(path, 'three');
    await told(2);
  });

  it('that is replaced changes, again and again', async () => {
    const path = join(folder, 'a.yaml');
    writeFileSync(path, 'one');
    follow(path);
    for (const count of [1, 2, 3]) {
      writeFileSync(join(folder, 'new'), `text ${count}`);
      renameSync(join(folder, 'new'), path);
      await told(count);
    }
  });

  it('that is removed and written again changes when it is back', async () => {
    const path = join(folder, 'a.yaml');
    writeFileSync(path, 'one');
    follow(path);
    unlinkSync(path);
    await pause(100);
    expect(changes).toBe(0);
    writeFileSync(path, 'two');
    await told(1);
  });

  it('changes when a link on its way leads elsewhere, as in Kubernetes', async () => {
    const version = (name: string): void => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'a.yaml'), name);
      symlinkSync(name, join(folder, '..tmp'));
      renameSync(join(folder, '..tmp'), join(folder, '..data'));
    };
    version('..one');
    symlinkSync('..data/a.yaml', join(folder, 'a.yaml'));
    follow(join(folder, 'a.yaml'));
    version('..two');
    await told(1);
    rmSync(join(folder, '..one'), { recursive: true });
    version('..three');
    await told(2);
  });

  it('changes when a link in a folder above leads elsewhere', async () => {
    const releases = scene.folder();
    for (const name of ['1', '2']) {
      mkdirSync(join(releases, name));
      writeFileSync(join(releases, name, 'a.yaml'), name);
    }
    symlinkSync('1', join(releases, 'current'));
    symlinkSync(join(releases, 'current'), join(folder, 'etc'));
    follow(join(folder, 'etc/a.yaml'));
    symlinkSync('2', join(releases, 'next'));
    renameSync(join(releases, 'next'), join(releases, 'current'));
    await told(1);
    writeFileSync(join(releases, '2/a.yaml'), 'changed there');
    await told(2);
  });

  it('does not change when others do, and when it stays what it is', async () => {
    const path = join(folder, 'a.yaml');
    writeFileSync(path, 'one');
    follow(path);
    writeFileSync(join(folder, 'b.yaml'), 'other');
    await pause(120);
    expect(changes).toBe(0);
  });

  it('is looked at where there are no events', async () => {
    const path = join(folder, 'later/a.yaml');
    // Its folder does not exist: there is nothing that could be watched.
    follow(path, { pollMs: 20 });
    mkdirSync(join(folder, 'later'));
    writeFileSync(path, 'here');
    await told(1);
    utimesSync(path, new Date(), new Date(1e12));
    await told(2);
  });

  it('is reported once when it is gone for long', async () => {
    const path = join(folder, 'a.yaml');
    writeFileSync(path, 'one');
    follow(path, { pollMs: 50 });
    unlinkSync(path);
    await until('missed', () => misses === 1);
    await pause(200);
    expect({ changes, misses }).toEqual({ changes: 0, misses: 1 });
  });
});

it('links that lead in a circle are followed for a while only', () => {
  symlinkSync('b', join(folder, 'a'));
  symlinkSync('a', join(folder, 'b'));
  expect(foldersOf(join(folder, 'a'))).toContain(folder);
});
