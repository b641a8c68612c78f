import { createHash, X509Certificate } from 'node:crypto';
import { MeshError } from '../base/error.ts';
import { type Identity, parseIdentity } from '../model/values/identity.ts';

/** What is read of a certificate. */
export interface Certificate {
  readonly x509: X509Certificate;
  readonly identity: Identity;
  /** Milliseconds since the Unix epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/**
 * The identity of a certificate: its only URI name. Node quotes names with special characters, such as
 * `DNS:"x, URI:spiffe://…"`, so that they cannot look like one (nodejs.org/api/crypto.html, CVE-2021-44532);
 * the pattern takes no quoted one. Throws MeshError `invalid`.
 */
export function identityOf(x509: X509Certificate): Identity {
  const names = x509.subjectAltName ?? '';
  const uris = /"/.test(names) ? [] : names.split(', ').filter((one) => one.startsWith('URI:'));
  const [uri] = uris;
  if (uri === undefined || uris.length > 1 || !/^URI:spiffe:\/\/[^",]+$/.test(uri))
    throw new MeshError(
      'invalid',
      uris.length > 1
        ? 'the certificate has several URIs as names: one identity is for one certificate'
        : 'the certificate has no URI spiffe://… as its name',
    );
  return parseIdentity(uri.slice('URI:'.length));
}

/** Reads the certificate of an identity, PEM or DER; the first of a chain. Throws MeshError `invalid`. */
export function readCertificate(bytes: string | Uint8Array): Certificate {
  const x509 = parseX509(bytes);
  return { x509, identity: identityOf(x509), ...validity(x509) };
}

/** From when until when a certificate is valid, milliseconds since the Unix epoch. */
export function validity(x509: X509Certificate): { readonly notBefore: number; readonly notAfter: number } {
  return { notBefore: Date.parse(x509.validFrom), notAfter: Date.parse(x509.validTo) };
}

/** Throws MeshError `invalid` if the bytes are no certificate. */
export function parseX509(bytes: string | Uint8Array): X509Certificate {
  try {
    return new X509Certificate(bytes);
  } catch (cause) {
    throw new MeshError('invalid', 'this is not a certificate in PEM or DER', { cause });
  }
}

/** SHA-256 of a certificate's public key (SubjectPublicKeyInfo), as `sha256:` and hex: what pins a root. */
export function keyHash(x509: X509Certificate): string {
  const spki = x509.publicKey.export({ type: 'spki', format: 'der' });
  return `sha256:${createHash('sha256').update(spki).digest('hex')}`;
}

/** The root that issued a certificate directly; undefined: none of these did. */
export function issuerOf(
  leaf: X509Certificate,
  roots: readonly X509Certificate[],
): X509Certificate | undefined {
  return roots.find((root) => leaf.checkIssued(root) && leaf.verify(root.publicKey));
}
