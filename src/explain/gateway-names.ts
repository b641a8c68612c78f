import type { Idc } from '../model/idc.ts';
import { gatewayLabel } from '../model/values/gateway-label.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import type { AskedProxy } from '../who/types.ts';

/** The connected proxies of an IDC, and the Idcs that have places for gateways. */
export interface KnownProxies {
  readonly idcs: ReadonlyMap<string, Idc>;
  readonly proxies: readonly AskedProxy[];
}

/** What a connected gateway is called. */
export interface CalledGateway {
  readonly name: string;
  readonly node?: string;
}

/**
 * Connected gateways by the names of their places. Each is called by its place, with its node id; by its node
 * id alone where another proxy has the place as its node id, which precedes.
 */
export function gatewaysByPlace({ proxies, idcs }: KnownProxies): ReadonlyMap<string, CalledGateway> {
  const found = new Map<string, CalledGateway>();
  for (const proxy of proxies) {
    const place = gatewayName(proxy, idcs);
    if (place === undefined || found.has(place)) continue;
    const { node, scope } = proxy;
    const isTaken = proxies.some(
      (one) => one.node !== node && one.scope.idc === scope.idc && `${scope.idc}/${one.node}` === place,
    );
    found.set(place, isTaken ? { name: `${scope.idc}/${node}` } : { name: place, node });
  }
  return found;
}

/** What a connected proxy is called in texts: `IDC/NODE`, a gateway as `gatewaysByPlace` says. */
export function proxyLabel(proxy: AskedProxy, facts: KnownProxies): string {
  const place = gatewayName(proxy, facts.idcs);
  const called = gatewaysByPlace(facts).get(place ?? '');
  if (called !== undefined) return gatewayLabel(called);
  const { node, scope } = proxy;
  return node.startsWith(`${scope.idc}/`) ? node : `${scope.idc}/${node}`;
}

/** The name of a connected gateway by its place in its Idc; undefined: it is in none. */
export function gatewayName({ scope }: AskedProxy, idcs: ReadonlyMap<string, Idc>): string | undefined {
  const spec = idcs.get(scope.idc)?.spec;
  if (spec === undefined || (scope.role !== 'ingress' && scope.role !== 'egress')) return undefined;
  const i =
    scope.role === 'ingress'
      ? spec.ingress.findIndex(({ address, peerPort }) => isAt(scope.peer, address, peerPort))
      : spec.egress.findIndex(({ address, sidecarPort }) => isAt(scope.sidecar, address, sidecarPort));
  return i < 0 ? undefined : `${scope.idc}/${scope.role}-${i + 1}`;
}

function isAt(at: ListenAddress, address: string, port: number): boolean {
  return at.address === address && at.port === port;
}
