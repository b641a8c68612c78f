import type { Idc, TlsMode } from '../../model/idc.ts';

/** An IDC whose proxies can be told by their certificates. */
export interface KnownPeer {
  readonly idc: string;
  /** Begins the names of its certificates. */
  readonly trustDomain: string;
  /** Of its own authority, in PEM. */
  readonly roots: string;
}

/** How gateways take what is sent to them. */
export type TlsIntake = 'plaintext' | 'both' | 'tls';

/** The other IDCs whose egress gateways an ingress gateway may tell by their certificates, by name. */
export function knownPeers(
  idcs: ReadonlyMap<string, Idc>,
  localIdc: string | undefined,
): readonly KnownPeer[] {
  return [...idcs.values()]
    .filter(({ meta }) => meta.name !== localIdc)
    .flatMap((idc) => knownPeer(idc) ?? [])
    .sort((a, b) => (a.idc < b.idc ? -1 : 1));
}

/** An IDC as its proxies are known by certificates; undefined: they are not. */
export function knownPeer(idc: Idc | undefined): KnownPeer | undefined {
  const { trustDomain, peerTls } = idc?.spec ?? {};
  if (idc === undefined || trustDomain === undefined || peerTls === undefined) return undefined;
  return { idc: idc.meta.name, trustDomain, roots: peerTls.roots };
}

/** How requests to another IDC are secured; undefined: they are not. */
export function securedCrossing(idc: Idc | undefined): KnownPeer | undefined {
  return isUsed(idc?.spec.peerTls?.mode) ? knownPeer(idc) : undefined;
}

/** How requests to an IDC's own egress gateways are secured; undefined: they are not. */
export function securedEgress(idc: Idc | undefined): KnownPeer | undefined {
  return isUsed(idc?.spec.egressTls) ? knownPeer(idc) : undefined;
}

/**
 * The IDCs as an IDC's egress gateways cross to them: without roots of its own nobody knows their
 * certificates, and they go on in plaintext, which all but those that require TLS take.
 */
export function crossedBy(
  localIdc: Idc | undefined,
  idcs: ReadonlyMap<string, Idc>,
): ReadonlyMap<string, Idc> {
  if (localIdc === undefined || knownPeer(localIdc) !== undefined) return idcs;
  return new Map(
    [...idcs].map(([name, idc]) => {
      const { peerTls: _, ...spec } = idc.spec;
      return [name, { ...idc, spec }];
    }),
  );
}

/** How an IDC's ingress gateways take what other IDCs' egress gateways send. */
export function peerIntake(idc: Idc | undefined): TlsIntake {
  return intakeOf(idc?.spec.peerTls?.mode);
}

/** How an IDC's egress gateways take what its own sidecars and ingress gateways send. */
export function egressIntake(idc: Idc | undefined): TlsIntake {
  return knownPeer(idc) === undefined ? 'plaintext' : intakeOf(idc?.spec.egressTls);
}

function intakeOf(mode: TlsMode = 'off'): TlsIntake {
  if (mode === 'off') return 'plaintext';
  return mode === 'require' ? 'tls' : 'both';
}

function isUsed(mode: TlsMode | undefined): boolean {
  return mode === 'use' || mode === 'require';
}
