import { MeshError } from '../base/error.ts';
import { didYouMean } from '../base/text/suggest.ts';
import type { Idc } from '../model/idc.ts';
import { durationText } from '../model/values/duration.ts';
import type { AskedProxy, GoneProxy } from '../who/types.ts';
import { gatewayName, type KnownProxies } from './gateway-names.ts';
import { listWords } from './words.ts';

/** Longer lists of names are cut in messages. */
const namesMax = 5;

/** Where a request begins. */
export interface StartFacts extends KnownProxies {
  readonly idc: string;
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
  const was = gone.find((one) => one.node === node);
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
