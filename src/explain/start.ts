import { MeshError } from '../base/error.ts';
import { didYouMean } from '../base/text/suggest.ts';
import type { Idc } from '../model/idc.ts';
import { durationText } from '../model/values/duration.ts';
import { gatewayLabel } from '../model/values/gateway-label.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import type { AskedProxy } from '../who/types.ts';
import { listWords } from './words.ts';

/** Longer lists of names are cut in messages. */
const namesMax = 5;

/** Where a request begins. */
export interface StartFacts {
  readonly idc: string;
  readonly idcs: ReadonlyMap<string, Idc>;
  readonly proxies: readonly AskedProxy[];
}

/** A proxy that was connected: what it has is not known. */
export interface GoneProxy {
  readonly id: string;
  readonly goneForMs: number;
}

/**
 * The connected proxy that `IDC/NODE` names; an ingress gateway also by its place in the Idc,
 * `IDC/ingress-1`. Throws MeshError `invalid` if no request begins there, or another IDC's control plane
 * knows it, `not-found` if it is not connected.
 */
export function findStart(
  { idc, idcs, proxies }: StartFacts,
  gone: readonly GoneProxy[],
  text: string,
): AskedProxy {
  const wanted = text.trim();
  const [first = '', ...rest] = wanted.split('/');
  const isPlaced = rest.length > 0 && (first === idc || idcs.has(first));
  if (isPlaced && first !== idc) throw elsewhere(idc, first, idcs.get(first));
  const node = isPlaced ? rest.join('/') : wanted;
  const named = proxies.find((one) => one.node === node || one.node === wanted);
  const found = named ?? proxies.find((one) => gatewayName(one, idcs) === `${idc}/${node}`);
  if (found === undefined) throw notConnected(idc, node, proxies, gone);
  if (found.role === 'egress')
    throw new MeshError(
      'invalid',
      `${node} is an egress gateway, where no request begins: give a sidecar or an ingress gateway that sends to it`,
    );
  if (found.scope.role === 'sidecar' && found.scope.outbound === undefined)
    throw new MeshError('invalid', `${node} calls nobody: its bootstrap has no --outbound`);
  return found;
}

function elsewhere(idc: string, other: string, spec: Idc | undefined): MeshError {
  const planes = spec?.spec.controlPlanes ?? [];
  const where =
    planes.length === 0
      ? `give --admin of one of ${other}; its Idc names none (spec.controlPlanes)`
      : `ask one of ${other}: --admin ${planes.join(',')}`;
  return new MeshError(
    'invalid',
    `this control plane is of ${idc}, and knows the proxies of ${idc} alone: ${where}`,
  );
}

function notConnected(
  idc: string,
  node: string,
  proxies: readonly AskedProxy[],
  gone: readonly GoneProxy[],
): MeshError {
  const names = proxies
    .filter(({ role }) => role !== 'egress')
    .map((one) => one.node)
    .sort();
  const shown = listWords([
    ...names.slice(0, namesMax),
    ...(names.length > namesMax ? [`${names.length - namesMax} more`] : []),
  ]);
  const was = gone.find(({ id }) => id === node);
  const words = names.length === 0 ? 'none is connected' : `connected are ${shown}`;
  if (was !== undefined)
    return new MeshError(
      'not-found',
      `${node} of ${idc} has not been connected for ${durationText(was.goneForMs)}, and what it has is not known: ${words}.`,
    );
  return new MeshError(
    'not-found',
    `no sidecar or ingress gateway '${node}' of ${idc} is connected: ${words}.${didYouMean(node, names)}`,
  );
}

/** What a connected gateway is called. */
interface CalledGateway {
  readonly name: string;
  readonly node?: string;
}

/**
 * Connected gateways by the names of their places. Each is called by its place, with its node id; by its node
 * id alone where another proxy has the place as its node id, which precedes.
 */
export function gatewaysByPlace({
  proxies,
  idcs,
}: Pick<StartFacts, 'proxies' | 'idcs'>): ReadonlyMap<string, CalledGateway> {
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
export function proxyLabel(proxy: AskedProxy, facts: Pick<StartFacts, 'proxies' | 'idcs'>): string {
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
