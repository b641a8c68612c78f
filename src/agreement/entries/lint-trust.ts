import type { Idc } from '../../model/idc.ts';
import type { Lint } from '../lint.ts';

/** What Idcs say of each other's certificates. */
export function lintTrust(idcs: readonly Idc[]): Lint[] {
  const byName = [...idcs].sort((a, b) => (a.meta.name < b.meta.name ? -1 : 1));
  return [...sharedDomains(byName), ...unknownPeers(byName)];
}

/** IDCs whose requests are refused, as they have no certificates that are known. */
function unknownPeers(idcs: readonly Idc[]): Lint[] {
  const requiring = idcs.filter(({ spec }) => spec.peerTls?.mode === 'require').map(({ meta }) => meta.name);
  return idcs.flatMap((idc): Lint[] => {
    const others = requiring.filter((name) => name !== idc.meta.name);
    if (idc.spec.peerTls !== undefined || others.length === 0) return [];
    const message = `is not there, and ${others.join(', ')} must be entered by TLS: requests of this IDC are refused there. Give its egress gateways certificates and the Idc its roots, or let the others take plaintext (peerTls.mode: use).`;
    return [{ code: 'PeerNotKnown', object: idc, path: ['spec', 'peerTls'], message }];
  });
}

/** One trust domain for two IDCs: told for all but the first by name. */
function sharedDomains(byName: readonly Idc[]): Lint[] {
  const first = new Map<string, Idc>();
  return byName.flatMap((idc): Lint[] => {
    const { trustDomain } = idc.spec;
    if (trustDomain === undefined) return [];
    const other = first.get(trustDomain);
    if (other === undefined) {
      first.set(trustDomain, idc);
      return [];
    }
    const message = `${trustDomain} is the trust domain of Idc ${other.meta.name} too: the authority of one could issue certificates for the other. Give each its own.`;
    return [{ code: 'SharedTrustDomain', object: idc, path: ['spec', 'trustDomain'], message }];
  });
}
