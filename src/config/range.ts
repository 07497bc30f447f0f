// Ranges of addresses: an address, or one with the length of its prefix.
import type { AddressRange } from '../model/types.ts';
import { ipAddress } from './address.ts';

export const rangeExpected = "an address or a range like '10.0.0.0/8' or '2001:db8::/32'";

const mappedPrefix = 0xffff0000; // the bytes 0, 0, 255, 255, little-endian

// The bytes behind the first `bits` of 128 are 0.
function isNetwork(words: readonly number[], bits: number): boolean {
  return words.every((word, index) => {
    const bytes = [0, 8, 16, 24].map((shift) => (word >>> shift) & 0xff);
    return bytes.every((byte, at) => {
      const kept = Math.min(Math.max(bits - (index * 32 + at * 8), 0), 8);
      return (byte & (0xff >>> kept)) === 0;
    });
  });
}

// undefined when the text is none, or has bits behind its prefix: which network is meant is not
// guessed.
export function parseRange(text: string): AddressRange | undefined {
  const found = /^([0-9A-Fa-f.:]+)(?:\/([0-9]{1,3}))?$/.exec(text);
  const address = ipAddress(found?.[1] ?? '', 0);
  if (found === null || address === undefined) return undefined;
  const isIpv4 = address.family === 'ipv4';
  const own = found[2] === undefined ? (isIpv4 ? 32 : 128) : Number(found[2]);
  if (own > (isIpv4 ? 32 : 128)) return undefined;
  const words = isIpv4 ? ([0, 0, mappedPrefix, address.words[0]] as const) : address.words;
  const prefixBits = isIpv4 ? 96 + own : own;
  return isNetwork(words, prefixBits) ? { words, prefixBits, text } : undefined;
}
