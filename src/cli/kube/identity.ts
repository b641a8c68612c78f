import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';

/** The identity of this process among those that ask for a Lease: no two are alike. */
export function processIdentity(): string {
  return `${hostname()}_${randomUUID()}`;
}
