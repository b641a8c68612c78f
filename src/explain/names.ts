import { MeshError } from '../base/error.ts';
import { didYouMean } from '../base/text/suggest.ts';
import type { GroupView } from '../index/view.ts';
import type { Idc } from '../model/idc.ts';
import { type ListenAddress, showAddress, showEndpoint } from '../model/values/listen-address.ts';
import { splitLocality } from '../model/values/locality.ts';
import type { GroupPlan } from '../plan/types.ts';
import { workloadEntryOf } from '../who/describe.ts';
import type { AskedProxy } from '../who/types.ts';
import { hostKey } from './types.ts';
import { listWords } from './words.ts';

/** Longer lists of names are cut in messages. */
const namesMax = 5;

/** Where a request begins. */
interface StartFacts {
  readonly idc: string;
  readonly idcs: ReadonlyMap<string, Idc>;
  readonly proxies: readonly AskedProxy[];
}

/**
 * The connected proxy that `IDC/NODE` names; an ingress gateway also by its place in the Idc,
 * `IDC/ingress-1`. Throws MeshError `invalid` if no request begins there, or another IDC's control plane
 * knows it, `not-found` if it is not connected.
 */
export function findStart({ idc, idcs, proxies }: StartFacts, text: string): AskedProxy {
  const wanted = text.trim();
  const [first = '', ...rest] = wanted.split('/');
  const isPlaced = rest.length > 0 && (first === idc || idcs.has(first));
  if (isPlaced && first !== idc) throw elsewhere(idc, first, idcs.get(first));
  const node = isPlaced ? rest.join('/') : wanted;
  const named = proxies.find((one) => one.node === node || one.node === wanted);
  const found = named ?? proxies.find((one) => gatewayName(one, idcs) === `${idc}/${node}`);
  if (found === undefined) throw notConnected(idc, node, proxies);
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

function notConnected(idc: string, node: string, proxies: readonly AskedProxy[]): MeshError {
  const names = proxies
    .filter(({ role }) => role !== 'egress')
    .map((one) => one.node)
    .sort();
  const shown = listWords([
    ...names.slice(0, namesMax),
    ...(names.length > namesMax ? [`${names.length - namesMax} more`] : []),
  ]);
  const words = names.length === 0 ? 'none is connected' : `connected are ${shown}`;
  return new MeshError(
    'not-found',
    `no sidecar or ingress gateway '${node}' of ${idc} is connected: ${words}.${didYouMean(node, names)}`,
  );
}

/** The name of a connected gateway by its place in its Idc; undefined: it is in none. */
function gatewayName({ scope }: AskedProxy, idcs: ReadonlyMap<string, Idc>): string | undefined {
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

/** What can be assumed to be down. */
interface Part {
  /** What it may be called, its best name first. */
  readonly names: readonly string[];
  /** In words. */
  readonly what: string;
  readonly idc: string;
  /** Its `hostKey`s. */
  readonly keys: readonly string[];
}

/** Where parts are declared. */
interface PartFacts extends StartFacts {
  readonly view: GroupView;
  /** The plan of the port in each IDC. */
  readonly plans: ReadonlyMap<string, GroupPlan>;
}

/** What is assumed to be down, together. */
export interface Assumed {
  readonly list: readonly { readonly name: string; readonly state: 'down'; readonly what: string }[];
  readonly keys: ReadonlySet<string>;
}

/**
 * Reads `NAME=down`s. Throws MeshError `invalid` if one has another form, `not-found` with names that exist.
 */
export function readAssumed(facts: PartFacts, texts: readonly string[]): Assumed {
  const parts = partsOf(facts);
  const found = texts.map((text) => {
    const [, name = ''] = /^(.+)=down$/.exec(text) ?? [];
    if (name === '')
      throw new MeshError(
        'invalid',
        `'${text}' assumes nothing: give NAME=down, such as sh-b/ingress-1=down`,
      );
    return { name, part: partNamed(name, parts) };
  });
  return {
    list: found.map(({ name, part }) => ({ name, state: 'down', what: part.what })),
    keys: new Set(found.flatMap(({ part }) => part.keys)),
  };
}

function partNamed(name: string, parts: readonly Part[]): Part {
  const found = parts.filter((one) => one.names.includes(name));
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  if (first !== undefined)
    throw new MeshError(
      'invalid',
      `'${name}' may be ${listWords(
        found.map(({ what, names }) => `${what} (${names[0]})`),
        'or',
      )}: give its full name`,
    );
  const names = parts.flatMap((one) => one.names);
  const known = parts.map((one) => one.names[0] ?? '').slice(0, 2 * namesMax);
  const more = parts.length > known.length ? ', …' : '';
  throw new MeshError(
    'not-found',
    `no IDC, gateway or instance of the host is named '${name}': there are ${known.join(', ')}${more}.${didYouMean(name, names)}`,
  );
}

function partsOf(facts: PartFacts): readonly Part[] {
  const single = [...facts.idcs.values()]
    .flatMap((idc) => gatewayParts(facts, idc))
    .concat(instanceParts(facts));
  const names = new Set([...facts.idcs.keys(), ...single.map(({ idc }) => idc)]);
  const whole = [...names].sort().map((idc): Part => {
    const keys = single.filter((one) => one.idc === idc).flatMap((one) => one.keys);
    return { names: [idc], what: `${idc}: its gateways and the instances of the host`, idc, keys };
  });
  return [...whole, ...single];
}

/** A gateway is called by its place in the Idc, by its addresses, and by its node id if it is connected. */
function gatewayParts({ proxies, idcs }: PartFacts, { meta, spec }: Idc): readonly Part[] {
  const idc = meta.name;
  const part = (kind: 'ingress' | 'egress', i: number, address: string, ports: readonly number[]): Part => {
    const name = `${idc}/${kind}-${i + 1}`;
    const nodes = proxies.filter((one) => gatewayName(one, idcs) === name).map(({ node }) => node);
    // A node id is what its operator has given: it precedes the place of another gateway.
    const isTaken = proxies.some(
      (one) => one.scope.idc === idc && `${idc}/${one.node}` === name && !nodes.includes(one.node),
    );
    const addresses = ports.map((port) => showAddress({ address, port }));
    return {
      names: [...(isTaken ? [] : [name]), ...nodes.flatMap((node) => [`${idc}/${node}`, node]), ...addresses],
      what: `the ${kind} gateway of ${idc} at ${address}`,
      idc,
      keys: addresses.map((one) => hostKey(idc, one)),
    };
  };
  return [
    ...spec.ingress.map(({ address, edgePort, peerPort }, i) =>
      part('ingress', i, address, [peerPort, edgePort]),
    ),
    ...spec.egress.map(({ address, sidecarPort, ingressPort }, i) =>
      part('egress', i, address, [sidecarPort, ingressPort]),
    ),
  ];
}

/** An instance is called by its WorkloadEntry, within its namespace or its IDC, and by its address. */
function instanceParts({ plans, view }: PartFacts): readonly Part[] {
  const found = new Map<string, Part>();
  for (const [own, { instances }] of plans)
    for (const { name: locality, endpoints } of instances)
      for (const endpoint of endpoints) {
        const idc = splitLocality(locality).idc || own;
        const address = showEndpoint(endpoint);
        const entry = workloadEntryOf(view, address);
        const short = entry === undefined ? [] : [entry, `${idc}/${entry.slice(entry.indexOf('/') + 1)}`];
        const names = [
          ...short,
          address,
          `${idc}/${address}`,
          endpoint.address,
          `${idc}/${endpoint.address}`,
        ];
        const key = hostKey(idc, address);
        found.set(key, { names, what: `the instance ${entry ?? address} of ${idc}`, idc, keys: [key] });
      }
  return [...found.values()];
}
