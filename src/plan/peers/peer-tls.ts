import type { Idc } from '../../model/idc.ts';

/** An IDC whose gateways can be told by their certificates. */
export interface KnownPeer {
  readonly idc: string;
  /** Begins the names of its certificates. */
  readonly trustDomain: string;
  /** Of its own authority, in PEM. */
  readonly roots: string;
}

/** The other IDCs whose egress gateways an ingress gateway may tell by their certificates, by name. */
export function knownPeers(
  idcs: ReadonlyMap<string, Idc>,
  localIdc: string | undefined,
): readonly KnownPeer[] {
  return [...idcs.values()]
    .filter(({ meta }) => meta.name !== localIdc)
    .flatMap((idc) => peerOf(idc) ?? [])
    .sort((a, b) => (a.idc < b.idc ? -1 : 1));
}

/** How requests to another IDC are secured; undefined: they are not. */
export function securedCrossing(idc: Idc | undefined): KnownPeer | undefined {
  const mode = idc?.spec.peerTls?.mode;
  return idc !== undefined && (mode === 'use' || mode === 'require') ? peerOf(idc) : undefined;
}

/**
 * The IDCs as an IDC's egress gateways cross to them: without roots of its own nobody knows their
 * certificates, and they go on in plaintext, which all but those that require TLS take.
 */
export function crossedBy(
  localIdc: Idc | undefined,
  idcs: ReadonlyMap<string, Idc>,
): ReadonlyMap<string, Idc> {
  if (localIdc === undefined || peerOf(localIdc) !== undefined) return idcs;
  return new Map(
    [...idcs].map(([name, idc]) => {
      const { peerTls: _, ...spec } = idc.spec;
      return [name, { ...idc, spec }];
    }),
  );
}

/** How an IDC's ingress gateways take what other IDCs' egress gateways send. */
export function peerIntake(idc: Idc | undefined): 'plaintext' | 'both' | 'tls' {
  const { mode = 'off' } = idc?.spec.peerTls ?? {};
  if (mode === 'off') return 'plaintext';
  return mode === 'require' ? 'tls' : 'both';
}

function peerOf({ meta, spec }: Idc): KnownPeer | undefined {
  const { trustDomain, peerTls } = spec;
  if (trustDomain === undefined || peerTls === undefined) return undefined;
  return { idc: meta.name, trustDomain, roots: peerTls.roots };
}
