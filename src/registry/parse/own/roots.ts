import { X509Certificate } from 'node:crypto';

/** The most roots of an IDC: a rotation has two. */
const rootsMax = 8;

const block = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/**
 * The certificates of authorities in a text of PEM, each once, in the text's order. Returns a fault instead
 * if there is none, or one that cannot be read or is no authority: whoever trusts it would trust a leaf.
 */
export function readRoots(text: string): { readonly pem: string } | { readonly fault: string } {
  const found = text.match(block) ?? [];
  if (found.length === 0) return { fault: 'has no certificate: give roots in PEM.' };
  if (found.length > rootsMax) return { fault: `has ${found.length} certificates: give up to ${rootsMax}.` };
  const roots = new Set<string>();
  for (const [at, one] of found.entries()) {
    let certificate: X509Certificate;
    try {
      certificate = new X509Certificate(one);
    } catch {
      return { fault: `has a certificate that cannot be read, number ${at + 1}: give roots in PEM.` };
    }
    if (!certificate.ca)
      return { fault: `has a certificate that is no authority, number ${at + 1}: give roots alone.` };
    roots.add(certificate.toString());
  }
  return { pem: [...roots].join('') };
}
