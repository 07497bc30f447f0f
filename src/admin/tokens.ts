// Who may ask: bearer tokens (RFC 6750), where there are any.
import { createHash, timingSafeEqual } from 'node:crypto';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

export class Tokens {
  // Digests, so that a comparison tells neither length nor beginning.
  readonly #known: readonly Buffer[];

  constructor(tokens: readonly string[]) {
    this.#known = tokens.map(digest);
  }

  get areNeeded(): boolean {
    return this.#known.length > 0;
  }

  // Takes as long for every token that is wrong.
  accepts(authorization: string | undefined): boolean {
    if (!this.areNeeded) return true;
    const given = /^Bearer +([\x21-\x7e]+) *$/i.exec(authorization ?? '')?.[1];
    if (given === undefined) return false;
    const asked = digest(given);
    let found = false;
    for (const known of this.#known) found = timingSafeEqual(known, asked) || found;
    return found;
  }
}
