import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ipAddress,
  parseAddress,
  parseBackendAddress,
  parseListenTarget,
  targetText,
} from '../../../src/config/address.ts';

const bytesOf = (host: string): string => {
  const words = ipAddress(host, 1)?.words ?? [];
  return Buffer.from(Uint32Array.from(words).buffer).toString('hex');
};

describe('ipAddress', () => {
  it.each([
    ['127.0.0.1', '7f000001000000000000000000000000'],
    ['10.1.2.255', '0a0102ff000000000000000000000000'],
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['2001:db8::ff00:42:8329', '20010db8000000000000ff0000428329'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['::ffff:192.0.2.128', '00000000000000000000ffffc0000280'],
    ['fe80::', 'fe800000000000000000000000000000'],
  ])('has the bytes of %s in network order', (host, hex) => expect(bytesOf(host)).toBe(hex));

  it('has the same bytes however an IPv6 address is written', () => {
    const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, (all) => {
        const full = all.map((group) => group.toString(16)).join(':');
        const canonical = ipAddress(full, 80)?.text.replace(/^\[(.*)\]:80$/, '$1') ?? '';
        const hex = all.map((group) => group.toString(16).padStart(4, '0')).join('');
        expect(bytesOf(full)).toBe(hex);
        expect(bytesOf(canonical)).toBe(hex);
      }),
    );
  });
});

describe('parseAddress', () => {
  it.each([
    ['10.0.0.1:80', '10.0.0.1:80', 'ip'],
    ['[2001:DB8:0:0::1]:443', '[2001:db8::1]:443', 'ip'],
    ['[fe80::1%2]:80', '[fe80::1%2]:80', 'ip'],
    [':80', '127.0.0.1:80', 'ip'],
    ['Origin.Example:80', 'origin.example:80', 'name'],
    ['my_service:80', 'my_service:80', 'name'],
    ['unix:/run/a.sock', 'unix:/run/a.sock', 'unix'],
  ])('reads %s as %s', (text, canonical, kind) => {
    expect(parseAddress(text, '127.0.0.1')).toMatchObject({ text: canonical, kind });
  });

  it.each([
    '',
    '80',
    'host',
    'host:',
    'host:65536',
    '1.2.3:80',
    '1.2.3.4.5:80',
    '999.1.1.1:80',
    '::1:80',
    '[127.0.0.1]:80',
    '[::1]',
    '[::zz]:80',
    '[fe80::1%nosuchif]:80',
    'a b:80',
    '-a:80',
    'unix:relative',
    'unix:',
    `unix:/${'x'.repeat(107)}`,
    'http://a:80',
  ])('refuses %j', (text) => expect(parseAddress(text, '127.0.0.1')).toBeUndefined());

  it('allows port 0 to listeners only', () => {
    expect(parseBackendAddress('10.0.0.1:0')).toBeUndefined();
    expect(parseListenTarget('10.0.0.1:0')).toMatchObject({ kind: 'address', everywhere: false });
  });
});

describe('parseListenTarget', () => {
  it('knows inherited sockets and every address', () => {
    expect(parseListenTarget('fd:3')).toEqual({ kind: 'descriptors', descriptors: [3] });
    const everywhere = parseListenTarget(':8080');
    expect(everywhere).toMatchObject({ everywhere: true, address: { text: '0.0.0.0:8080' } });
    expect(everywhere && targetText(everywhere)).toBe(':8080');
  });
});
