import { MeshError } from '../base/error.ts';
import type { Bundle } from './bundle.ts';
import { type Certificate, issuerOf, readCertificate } from './certificate.ts';

/** A client that TLS has let in, by its certificate. */
export interface TrustedPeer extends Pick<Certificate, 'identity' | 'notAfter'> {
  /** The fingerprint of the root that issued the certificate. */
  readonly root: string;
}

/** Who a node says to be. */
interface ClaimedNode {
  readonly id: string;
  readonly role: string;
  readonly idc: string;
}

/**
 * Reads the certificate (DER) of a client, which must be issued by a root of the bundle and be in force: what
 * TLS has checked when the connection began may be over. Throws MeshError `forbidden`. `wallMs`: now.
 */
export function acceptPeer(
  certificate: Uint8Array | undefined,
  { roots }: Pick<Bundle, 'roots'>,
  wallMs: number,
): TrustedPeer {
  if (certificate === undefined)
    throw refused('it has shown no certificate: give its Envoy one, by bootstrap --tls');
  let read: Certificate;
  try {
    read = readCertificate(certificate);
  } catch (cause) {
    throw refused(MeshError.from(cause).message);
  }
  const { x509, identity, notBefore, notAfter } = read;
  const root = issuerOf(x509, roots);
  if (root === undefined) throw refused('its certificate is of no root that is trusted any more');
  if (notAfter <= wallMs) throw refused(`its certificate has expired on ${new Date(notAfter).toISOString()}`);
  if (notBefore > wallMs) throw refused('its certificate is not valid yet: compare the clocks');
  return { identity, notAfter, root: root.fingerprint256 };
}

/**
 * Throws MeshError `forbidden` unless a node is who its certificate says: trust domain and IDC of the control
 * plane (`own`), and its role, IDC and name.
 */
export function checkNode(
  { identity }: TrustedPeer,
  { id, role, idc }: ClaimedNode,
  own: { readonly trustDomain: string; readonly idc: string },
): void {
  const shown = `its certificate is of ${identity.role} '${identity.name}' of IDC ${identity.idc}`;
  if (identity.trustDomain !== own.trustDomain)
    throw refused(`${shown} in trust domain ${identity.trustDomain}, here is ${own.trustDomain}`);
  const wrong = [
    ...(identity.idc === own.idc && idc === own.idc ? [] : [`IDC '${idc}'`]),
    ...(identity.role === role ? [] : [`role '${role}'`]),
    ...(identity.name === id ? [] : [`id '${id}'`]),
  ];
  if (wrong.length > 0) throw refused(`${shown}, and the node says ${wrong.join(', ')}`);
}

function refused(why: string): MeshError {
  return new MeshError('forbidden', `this client is not who it says: ${why}`);
}
