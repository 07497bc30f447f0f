// The shape of `admin`: where the admin API answers, and to whom.
import { z } from 'zod';
import type { Issue } from '../errors.ts';
import type { StatedAddress } from '../model/types.ts';
import { addressExpected, isLoopback, parseAddress } from './address.ts';
import { accepted } from './defaults.ts';

export const adminDefault = '127.0.0.1:9123';

// What a header can carry (RFC 6750 2.1, b64token and more), and long enough not to be guessed.
const tokenExpected = 'a token of 16 to 512 visible ASCII characters';

export const admin = z.strictObject({
  listen: z
    .string()
    .refine((text) => parseAddress(text, '127.0.0.1') !== undefined, {
      error: `expected ${addressExpected}`,
    })
    .describe('Where it answers. `:port` is this host only.')
    .meta({ default: adminDefault })
    .optional(),
  tokens: z
    .array(
      z
        .string({ error: `expected ${tokenExpected}` })
        .regex(/^[\x21-\x7e]{16,512}$/, { error: `expected ${tokenExpected}` }),
      { error: `expected a list with ${tokenExpected}` },
    )
    .min(1, { error: `expected a list with ${tokenExpected}` })
    .max(64, { error: 'expected at most 64 tokens' })
    .describe(
      'Requests need one of them: `Authorization: Bearer TOKEN`. A Unix socket needs none. ' +
        'Required where other machines can connect.',
    )
    .optional(),
});

export interface AdminSettings {
  readonly adminListen: StatedAddress | undefined;
  readonly adminTokens: readonly string[];
}

export function adminOf(config: z.input<typeof admin> | undefined, issues: Issue[]): AdminSettings {
  if (config === undefined) return { adminListen: undefined, adminTokens: [] };
  const { listen = adminDefault, tokens = [] } = config;
  const address = accepted(parseAddress(listen, '127.0.0.1'));
  if (tokens.length === 0 && address.kind !== 'unix' && !isLoopback(address)) {
    issues.push({
      path: 'admin.tokens',
      value: undefined,
      expected: `a list with ${tokenExpected}`,
      message: `other machines can connect to ${listen} (admin.listen): expected admin.tokens`,
    });
  }
  return { adminListen: address, adminTokens: tokens };
}
