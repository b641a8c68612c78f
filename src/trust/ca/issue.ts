// Must come first: the library's container needs it.
import 'reflect-metadata';
import { createPublicKey, randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { MeshError } from '../../base/error.ts';
import { formatIdentity, type Identity } from '../../model/values/identity.ts';

const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' } as const;
const dayMs = 86_400_000;

/** A leaf is valid from a minute before it was made: clocks differ. Milliseconds. */
export const backdateMs = 60_000;

/** A certificate and its key in PEM (PKCS #8). */
export interface IssuedPair {
  readonly certificate: string;
  readonly key: string;
}

/** From when, and until when: milliseconds since the Unix epoch. */
export interface Term {
  readonly notBefore: number;
  readonly notAfter: number;
}

/**
 * Makes a root: P-256, its own name and key, so that no two can be taken for each other; it signs leaves
 * only. `days`: how long it is valid.
 */
export async function makeRoot(trustDomain: string, wallMs: number, days: number): Promise<IssuedPair> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: `CN=Isthmus root of ${trustDomain} ${randomBytes(4).toString('hex')}`,
    notBefore: new Date(wallMs - backdateMs),
    notAfter: new Date(wallMs + days * dayMs),
    keys,
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: `${certificate.toString('pem')}\n`, key: await keyPem(keys.privateKey) };
}

/** A root that can sign. */
export interface SigningRoot {
  readonly certificate: x509.X509Certificate;
  readonly key: webcrypto.CryptoKey;
}

/** Loads a root and its key from PEM. Throws MeshError `invalid` if the key is no P-256 key of PKCS #8. */
export async function loadRoot({ certificate, key }: IssuedPair): Promise<SigningRoot> {
  try {
    const [der] = x509.PemConverter.decode(key);
    const imported = await webcrypto.subtle.importKey('pkcs8', der as ArrayBuffer, keyAlgorithm, false, [
      'sign',
    ]);
    return { certificate: new x509.X509Certificate(certificate), key: imported };
  } catch (cause) {
    throw new MeshError('invalid', 'the root or its key cannot be read: a P-256 key in PKCS #8 is needed', {
      cause,
    });
  }
}

/**
 * Issues a leaf: no subject, its identity as the only name, both extended key usages. `publicKey`: SPKI in
 * DER. The certificate is in PEM, and ends no later than its root.
 */
export async function issueLeaf(
  root: SigningRoot,
  identity: Identity,
  publicKey: Uint8Array,
  term: Term,
): Promise<string> {
  const spki = new Uint8Array(publicKey);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: '',
    issuer: root.certificate.subject,
    notBefore: new Date(term.notBefore),
    notAfter: new Date(Math.min(term.notAfter, root.certificate.notAfter.getTime())),
    signingKey: root.key,
    publicKey: await x509.PublicKey.create(spki),
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.clientAuth,
        x509.ExtendedKeyUsage.serverAuth,
      ]),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: formatIdentity(identity) }], true),
      await x509.AuthorityKeyIdentifierExtension.create(root.certificate.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(await x509.PublicKey.create(spki)),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

/** A new key, and a request for a certificate that proves its possession and says nothing else. */
export async function makeRequest(): Promise<{ readonly request: string; readonly key: string }> {
  const keys = await generateKeys();
  const request = await x509.Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm });
  return { request: request.toString('pem'), key: await keyPem(keys.privateKey) };
}

/**
 * The public key (SPKI, DER) of a request whose signature proves that the sender has the private one. Throws
 * MeshError `invalid` otherwise, and for anything but P-256.
 */
export async function readRequest(pem: string): Promise<Uint8Array> {
  let request: x509.Pkcs10CertificateRequest;
  try {
    request = new x509.Pkcs10CertificateRequest(pem);
  } catch (cause) {
    throw new MeshError('invalid', 'this is not a certificate request in PEM', { cause });
  }
  const spki = new Uint8Array(request.publicKey.rawData);
  if (!isP256(spki))
    throw new MeshError('invalid', 'the key of the request is none of P-256: make one of it');
  if (!(await request.verify().catch(() => false)))
    throw new MeshError('invalid', "the request is not signed by its own key: it proves nobody's possession");
  return spki;
}

function isP256(spki: Uint8Array): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  } catch {
    return false;
  }
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;
}

/** 16 random bytes whose first bit is 0 and which do not begin with a zero byte: a positive number in DER. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}
