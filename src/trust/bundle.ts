import { createHash, type X509Certificate } from 'node:crypto';
import { MeshError } from '../base/error.ts';
import { parseX509, validity } from './certificate.ts';

/** Roots that are trusted, each once, none expired. */
export interface Bundle {
  readonly roots: readonly X509Certificate[];
  /** In PEM, in the order of their fingerprints. */
  readonly pem: string;
  /** Equal for equal roots, in whatever order they came: 16 hex digits of SHA-256. */
  readonly hash: string;
}

/** The most roots of a bundle: a rotation has two. */
const rootsMax = 16;

const block = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/**
 * Reads a bundle of roots in PEM. Duplicates and expired roots are left out: an Envoy that finds an expired
 * root before its re-issued self refuses everybody. Throws MeshError `invalid` if one is no authority, or
 * none is left: an empty bundle must never be built. `wallMs`: now, milliseconds since the Unix epoch.
 */
export function readBundle(pem: string, wallMs: number): Bundle {
  const found = [...pem.matchAll(block)].map(([one]) => parseX509(one));
  if (found.length === 0) throw new MeshError('invalid', 'a bundle without a certificate: give roots in PEM');
  if (found.length > rootsMax)
    throw new MeshError('invalid', `a bundle of ${found.length} certificates: at most ${rootsMax} are read`);
  const leaf = found.find((one) => !one.ca);
  if (leaf !== undefined)
    throw new MeshError(
      'invalid',
      `a bundle with a certificate that is no authority (serial ${leaf.serialNumber}): give roots alone`,
    );
  const current = found.filter((one) => validity(one).notAfter > wallMs);
  if (current.length === 0)
    throw new MeshError(
      'invalid',
      `every root has expired, the last on ${found.at(-1)?.validTo}: give the current ones`,
    );
  const byFingerprint = new Map(current.map((one) => [one.fingerprint256, one]));
  const prints = [...byFingerprint.keys()].sort();
  const roots = prints.flatMap((print) => byFingerprint.get(print) ?? []);
  const hash = createHash('sha256').update(prints.join('\n')).digest('hex').slice(0, 16);
  return { roots, pem: roots.map((one) => one.toString()).join(''), hash };
}
