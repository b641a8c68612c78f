// Must come first: the library's container needs it.
import 'reflect-metadata';
import { randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';

/** A certificate and its key in PEM. */
export interface ServingPair {
  readonly certificate: string;
  readonly key: string;
}

/** From when until when a certificate is valid, milliseconds since the Unix epoch. */
export interface ServingTerm {
  readonly notBefore: number;
  readonly notAfter: number;
}

const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' } as const;

/**
 * A certificate of a server that is its own authority: the API server is given it to believe, and nobody else
 * believes it. `names`: DNS names and IP addresses.
 */
export async function makeServingPair(names: readonly string[], term: ServingTerm): Promise<ServingPair> {
  const keys = await webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
  // A serial number is positive, and does not begin with a zero byte.
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial.toString('hex'),
    name: `CN=isthmus-webhook ${randomBytes(4).toString('hex')}`,
    notBefore: new Date(term.notBefore),
    notAfter: new Date(term.notAfter),
    keys,
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: /^[0-9.]+$|:/.test(value) ? 'ip' : 'dns', value })),
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certificate: `${certificate.toString('pem')}\n`,
    key: `${x509.PemConverter.encode(key, 'PRIVATE KEY')}\n`,
  };
}

/** When a certificate in PEM is valid; undefined if it is none, or not for all of these names. */
export function servingTerm(certificate: string, names: readonly string[]): ServingTerm | undefined {
  try {
    const parsed = new X509Certificate(certificate);
    const isFor = (name: string) =>
      (/^[0-9.]+$|:/.test(name) ? parsed.checkIP(name) : parsed.checkHost(name)) !== undefined;
    if (!names.every(isFor)) return undefined;
    return { notBefore: Date.parse(parsed.validFrom), notAfter: Date.parse(parsed.validTo) };
  } catch {
    return undefined;
  }
}
