import type { Finding } from '../model/finding.ts';
import type { Idc } from '../model/idc.ts';
import { addressName, type ProbeTarget, type Reach } from '../model/reach.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import { egressIntake, peerIntake } from './peers/peer-tls.ts';
import type { Outlier } from './types.ts';

/** Gateways through which requests leave an IDC, or enter it. */
type Kind = 'egress' | 'ingress';

/** Gateways of one kind in one IDC. */
interface Gateways {
  readonly idc: string;
  readonly kind: Kind;
  readonly at: readonly ListenAddress[];
  /** Whether they take TLS alone. */
  readonly isTls?: boolean;
}

/** A gateway that proxies are not sent to. */
export interface HungGateway extends ListenAddress {
  readonly idc: string;
  readonly kind: Kind;
}

/**
 * For gateways only failed or broken connections and PING timeouts count. Envoy counts a stream reset, and
 * over HTTP/2 the end of a websocket, as one (docs/decisions/086-ends-that-count-as-failures.md): hence not
 * two in a row.
 */
export const gatewayOutlier: Outlier = {
  consecutiveLocalOriginFailures: 5,
  intervalMs: 500,
  baseEjectionMs: 2_000,
  maxEjectionMs: 5_000,
  maxEjectionPercent: { sidecar: 99, ingress: 99 },
};

/** The address of an ingress gateway for other IDCs. */
export function peersOf({ spec }: Idc): readonly ListenAddress[] {
  return spec.ingress.map(({ address, peerPort: port }) => ({ address, port }));
}

/** The gateways that this IDC's proxies send to: local egress, and ingress of the others. */
function gatewaysSentTo(idcs: ReadonlyMap<string, Idc>, localIdc: string): readonly Gateways[] {
  return [...idcs.values()].map((idc): Gateways => {
    const { name } = idc.meta;
    if (name !== localIdc)
      return { idc: name, kind: 'ingress', at: peersOf(idc), isTls: peerIntake(idc) === 'tls' };
    const at = idc.spec.egress.map(({ address, sidecarPort: port }) => ({ address, port }));
    return { idc: name, kind: 'egress', at, isTls: egressIntake(idc) === 'tls' };
  });
}

/** The place in the Idc, `sh-a/egress-2`, of such a gateway, by its `addressName`; undefined: it is none. */
export function gatewayAt(
  idcs: ReadonlyMap<string, Idc>,
  localIdc: string,
  name: string,
): string | undefined {
  for (const { idc, kind, at } of gatewaysSentTo(idcs, localIdc)) {
    const place = at.findIndex((one) => addressName(one) === name);
    if (place >= 0) return `${idc}/${kind}-${place + 1}`;
  }
  return undefined;
}

/** The local egress gateways and the others' ingress gateways to probe: those that have an alternative. */
export function gatewaysToProbe(
  idcs: ReadonlyMap<string, Idc>,
  localIdc: string,
): Readonly<Record<Kind, readonly ProbeTarget[]>> {
  const all = gatewaysSentTo(idcs, localIdc).filter(
    ({ kind, at }) => at.length > 1 || (kind === 'ingress' && idcs.size > 2),
  );
  const of = (kind: Kind) =>
    all
      .filter((gateways) => gateways.kind === kind)
      .flatMap(({ at, isTls }) =>
        // Who has no certificate learns of a gateway that takes TLS alone that it takes connections.
        at.map((one): ProbeTarget => (isTls ? one : { ...one, request: { kind: 'http2' } })),
      );
  return { egress: idcs.size > 1 ? of('egress') : [], ingress: of('ingress') };
}

/**
 * Hung gateways to take out of use: requests on a new connection to one wait until PING detects it, with
 * unknown outcome. At most half of an IDC's, and only while another answers: a shared cause, overload or a
 * broken path, is not a gateway's own failure.
 */
export function planHungGateways(
  idcs: ReadonlyMap<string, Idc>,
  localIdc: string,
  { unreached, silent }: Reach,
): readonly HungGateway[] {
  if (silent.size === 0) return [];
  return gatewaysSentTo(idcs, localIdc).flatMap(({ idc, kind, at }) => {
    if (at.every((one) => unreached.has(addressName(one)))) return [];
    const hung = at.filter((one) => silent.has(addressName(one)));
    return hung.slice(0, Math.floor(at.length / 2)).map((one) => ({ ...one, idc, kind }));
  });
}

/** Gateways that hang and stay in use, as `planHungGateways` takes no more of their IDC out. */
function keptHungGateways(
  idcs: ReadonlyMap<string, Idc>,
  localIdc: string,
  reach: Reach,
): readonly HungGateway[] {
  if (reach.silent.size === 0) return [];
  const out = new Set(planHungGateways(idcs, localIdc, reach).map(addressName));
  return gatewaysSentTo(idcs, localIdc).flatMap(({ idc, kind, at }) =>
    at
      .filter((one) => reach.silent.has(addressName(one)) && !out.has(addressName(one)))
      .map((one) => ({ ...one, idc, kind })),
  );
}

/**
 * Other IDCs whose ingress gateways are all lost, some of them hung, so that callers do not notice at once.
 */
export function planHungIdcs(
  idcs: ReadonlyMap<string, Idc>,
  localIdc: string,
  { unreached, silent }: Reach,
): ReadonlySet<string> {
  const isHung = ({ kind, at }: Gateways) =>
    kind === 'ingress' &&
    at.every((one) => unreached.has(addressName(one))) &&
    at.some((one) => silent.has(addressName(one)));
  return new Set(
    silent.size === 0
      ? []
      : gatewaysSentTo(idcs, localIdc)
          .filter(isHung)
          .map(({ idc }) => idc),
  );
}

/** The problems shown for gateways that hang: those that are taken out of use, and others. */
export function describeHungGateways(
  idcs: ReadonlyMap<string, Idc>,
  localIdc: string,
  reach: Reach,
): readonly Finding[] {
  return [
    ...planHungGateways(idcs, localIdc, reach).map((one) => describeHungGateway(one, true)),
    ...keptHungGateways(idcs, localIdc, reach).map((one) => describeHungGateway(one, false)),
  ];
}

/** The problem shown for such a gateway. `isOut`: it is taken out of use. */
export function describeHungGateway({ idc, kind, address, port }: HungGateway, isOut: boolean): Finding {
  const use = isOut
    ? 'No requests are sent to it until it answers'
    : `It stays in use, as too few other ${kind} gateways of ${idc} answer`;
  const message = `accepts connections and never answers: its process hangs or is overloaded. ${use}; look at the process, or end it`;
  const where = `${kind} gateway ${showAddress({ address, port })} of ${idc}`;
  return { code: 'GatewayHangs', severity: 'warning', where, path: '', message };
}
