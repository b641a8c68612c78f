import { createHash } from 'node:crypto';

/**
 * A short content hash: 16 hex digits of SHA-256. Equal content has equal versions, and is not sent again.
 */
export function contentHash(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex').slice(0, 16);
}
