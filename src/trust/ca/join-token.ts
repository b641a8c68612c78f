import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** A join token: `isthmus-join.ID.SECRET`; only a hash of the secret is stored. */
const form = /^isthmus-join\.([0-9a-f]{16})\.([A-Za-z0-9_-]{43})$/;

/** A new token, with 256 random bits, and what is stored of it. */
export function newJoinToken(): { readonly token: string; readonly id: string; readonly hash: Uint8Array } {
  const id = randomBytes(8).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  return { token: `isthmus-join.${id}.${secret}`, id, hash: hashOf(secret) };
}

/** The parts of a token; undefined: it has another form. */
export function splitJoinToken(
  token: string,
): { readonly id: string; readonly hash: Uint8Array } | undefined {
  const [, id, secret] = form.exec(token) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, hash: hashOf(secret) };
}

/** Compares in a time that does not depend on where they differ; false for none. */
export function isSameHash(given: Uint8Array, stored: Uint8Array | undefined): boolean {
  // A token that is unknown takes as long as one that is wrong.
  const against = stored?.length === given.length ? stored : new Uint8Array(given.length);
  return timingSafeEqual(given, against) && stored !== undefined;
}

function hashOf(secret: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(secret).digest());
}
