import { describe, expect, it } from 'vitest';
import { parseRange } from '../../../src/config/range.ts';
import { normalizePath, parseHost, parsePathPrefix } from '../../../src/config/route.ts';

describe('hosts', () => {
  it.each([
    ['Example.COM', 'example.com'],
    ['*.a.example', '*.a.example'],
    ['*.com', '*.com'],
    ['localhost', 'localhost'],
    ['10.0.0.1', '10.0.0.1'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['my_app.example', 'my_app.example'],
  ])('%j is %j', (text, value) => expect(parseHost(text)).toEqual({ value }));

  it.each([
    ['example.com.', 'closing dot'],
    ['example.com:80', 'without a port'],
    ['[::1]:80', 'without a port'],
    ['bücher.example', 'xn--'],
    ['', 'a host name like'],
    ['*', 'a host name like'],
    ['*.', 'closing dot'],
    ['a.*.example', 'a host name like'],
    ['*a.example', 'a host name like'],
    ['.example', 'a host name like'],
    ['a..example', 'a host name like'],
    ['-a.example', 'a host name like'],
    ['a b', 'a host name like'],
    ['http://a.example', 'a host name like'],
    [`${'a'.repeat(64)}.example`, 'a host name like'],
    [Array.from({ length: 64 }, () => 'abc').join('.'), 'a host name like'],
  ])('%j is refused', (text, expected) =>
    expect(parseHost(text)).toEqual({ expected: expect.stringContaining(expected) }),
  );
});

describe('path prefixes', () => {
  it.each([
    ['/', ''],
    ['/a', '/a'],
    ['/a/', '/a'],
    ['/a//', '/a/'],
    ['/%61%2D%7e', '/a-~'],
    ['/%2f%3a', '/%2F%3A'],
    ['/%2541', '/%2541'],
    ['/a/./b/../c', '/a/c'],
    ['/a/%2e%2E/b', '/b'],
    ['/../..', ''],
  ])('%j is %j', (text, value) => expect(parsePathPrefix(text)).toEqual({ value }));

  it.each([
    ['a', "begins with '/'"],
    ['', "begins with '/'"],
    ['/a?b', 'without query'],
    ['/a#b', 'fragment'],
    ['/é', '%XX'],
    ['/a b', '%XX'],
    ['/%zz', 'hexadecimal'],
    ['/a%2', 'hexadecimal'],
    ['/a'.repeat(33), '32 segments'],
    [`/${'a'.repeat(2048)}`, '2048 bytes'],
  ])('%j is refused', (text, expected) =>
    expect(parsePathPrefix(text)).toEqual({ expected: expect.stringContaining(expected) }),
  );

  it('may have 32 segments and 2,048 bytes', () => {
    expect(parsePathPrefix(`${'/a'.repeat(32)}/`)).toEqual({ value: '/a'.repeat(32) });
    const long = `/${'a'.repeat(2047)}`;
    expect(parsePathPrefix(long)).toEqual({ value: long });
  });
});

it('removes dot segments as in RFC 3986, 5.2.4', () => {
  const paths = [
    '/a/b/c/./../../g',
    '/mid/content=5/../6',
    '/a/..',
    '/a/.',
    '/a//..',
    '/.',
    '/..a',
  ];
  expect(paths.map(normalizePath)).toEqual(['/a/g', '/mid/6', '/', '/a/', '/a/', '/', '/..a']);
});

it('ranges have no bits behind their prefix', () => {
  for (const text of ['0.0.0.0/0', '10.0.0.0/7', '10.1.2.3/32', '::/0', 'fe80::/10', '::1']) {
    expect(parseRange(text)?.text).toBe(text);
  }
  for (const text of [
    '10.0.0.0/6',
    '10.0.0.1/31',
    '0.0.0.0/33',
    'fe80::/8',
    '::1/127',
    '::1/',
    '',
  ]) {
    expect(parseRange(text), text).toBeUndefined();
  }
  expect(parseRange('::ffff:10.0.0.0/104')?.prefixBits).toBe(parseRange('10.0.0.0/8')?.prefixBits);
});
