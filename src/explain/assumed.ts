import { MeshError } from '../base/error.ts';
import { didYouMean } from '../base/text/suggest.ts';
import type { Explanation } from '../contract/explain.ts';
import type { GroupView } from '../index/view.ts';
import type { Idc } from '../model/idc.ts';
import { showAddress, showEndpoint } from '../model/values/listen-address.ts';
import { splitLocality } from '../model/values/locality.ts';
import type { GroupPlan } from '../plan/types.ts';
import { workloadEntryOf } from '../who/describe.ts';
import { gatewayName } from './gateway-names.ts';
import type { StartFacts } from './start.ts';
import { hostKey } from './types.ts';
import { listWords } from './words.ts';

/** Most names in a message. */
const namesMax = 10;

/** What can be assumed to be in another state. */
interface Part {
  /** What it may be called, its best name first. */
  readonly names: readonly string[];
  /** In words. */
  readonly what: string;
  readonly idc: string;
  /** Its `hostKey`s. */
  readonly keys: readonly string[];
  /** Names by which control planes of other IDCs know it. */
  readonly as: readonly string[];
}

/** Where parts are declared. */
interface PartFacts extends StartFacts {
  /** The host that the question is about. */
  readonly host: string;
  readonly view: GroupView;
  /** The plan of the port in each IDC. */
  readonly plans: ReadonlyMap<string, GroupPlan>;
}

type State = Explanation['assumed'][number]['state'];

/** What is assumed, together. */
export interface Assumed {
  readonly list: Explanation['assumed'];
  readonly down: ReadonlySet<string>;
  readonly up: ReadonlySet<string>;
  /** IDCs that all requests leave. */
  readonly evacuated: readonly string[];
}

/** An assumption, read. */
interface Assumption {
  readonly name: string;
  readonly state: State;
  readonly part: Part;
}

/**
 * Reads `NAME=down`, `NAME=up` and `IDC=evacuated`: of two that overlap the one of fewer hosts counts.
 * `texts` have to name what there is; of `known` other names are left out. Throws MeshError `invalid` if
 * one has another form or contradicts another, `not-found` with names that exist.
 */
export function readAssumed(facts: PartFacts, texts: readonly string[], known: readonly string[]): Assumed {
  const parts = partsOf(facts);
  const all = [
    ...texts.map((text) => readOne(facts, parts, text)),
    ...known.flatMap((text) => {
      const isKnown = parts.some(({ names }) => names.includes(text.slice(0, text.lastIndexOf('='))));
      return isKnown ? [readOne(facts, parts, text)] : [];
    }),
  ];
  for (const [i, { name, state, part }] of all.entries()) {
    const other = all.slice(0, i).find((one) => one.part === part && one.state !== state);
    if (other !== undefined)
      throw new MeshError(
        'invalid',
        `${name} is assumed to be ${other.state}, and ${state}: give one of the two`,
      );
  }
  const states = new Map<string, 'down' | 'up'>();
  for (const { part, state } of all.toSorted((x, y) => y.part.keys.length - x.part.keys.length))
    if (state !== 'evacuated') for (const key of part.keys) states.set(key, state);
  const inState = (wanted: State) =>
    new Set([...states].filter(([, state]) => state === wanted).map(([key]) => key));
  return {
    list: all.map(({ name, state, part: { what, as } }) => ({ name, state, what, as: [...as] })),
    ...{ down: inState('down'), up: inState('up') },
    evacuated: all.filter(({ state }) => state === 'evacuated').map(({ part }) => part.idc),
  };
}

function readOne(facts: PartFacts, parts: readonly Part[], text: string): Assumption {
  const [, name = '', state = ''] = /^(.+)=(down|up|evacuated)$/.exec(text) ?? [];
  if (name === '')
    throw new MeshError(
      'invalid',
      `'${text}' assumes nothing: give NAME=down or NAME=up, such as sh-b/ingress-1=down, or IDC=evacuated`,
    );
  const part = partNamed(facts, name, parts);
  if (state === 'evacuated' && part.names[0] !== part.idc)
    throw new MeshError(
      'invalid',
      `${part.what} cannot be evacuated: give an IDC, such as ${part.idc}=evacuated`,
    );
  return { name, state: state as State, part };
}

function partNamed({ host }: PartFacts, name: string, parts: readonly Part[]): Part {
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
  const known = parts.map((one) => one.names[0] ?? '').slice(0, namesMax);
  const more = parts.length > known.length ? ', …' : '';
  throw new MeshError(
    'not-found',
    `no IDC, gateway or instance of ${host} is named '${name}': there are ${known.join(', ')}${more}.${didYouMean(name, names)}`,
  );
}

function partsOf(facts: PartFacts): readonly Part[] {
  const gateways = [...facts.idcs.values()].flatMap((idc) => gatewayParts(facts, idc));
  const instances = instanceParts(facts);
  const single = [...gateways, ...instances];
  const idcs = [...new Set([...facts.idcs.keys(), ...single.map(({ idc }) => idc)])].sort();
  const keysIn = (list: readonly Part[], idc: string) =>
    list.filter((one) => one.idc === idc).flatMap((one) => one.keys);
  const whole = idcs.map((idc): Part => {
    const what = `${idc}: its gateways and the instances of the host`;
    return { names: [idc], what, idc, keys: keysIn(single, idc), as: [idc] };
  });
  const placed = idcs.map((idc): Part => groupPart(facts, idc, keysIn(instances, idc)));
  return [...whole, ...placed, ...single];
}

/** The Group in an IDC: its host, with or without port, and its ServiceEntry, each with `@IDC`. */
function groupPart({ host, view, plans }: PartFacts, idc: string, keys: readonly string[]): Part {
  const { namespace, name } = view.entry.meta;
  const ports = [...new Set([...plans.values()].map(({ group }) => group.port))];
  const names = [host, ...ports.map((port) => `${host}:${port}`), `${namespace}/${name}`];
  const what = `the instances of ${host} in ${idc}`;
  return { names: names.map((one) => `${one}@${idc}`), what, idc, keys, as: [`${host}@${idc}`] };
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
      as: addresses.slice(0, 1),
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
        const what = `the instance ${entry ?? address} of ${idc}`;
        found.set(key, { names, what, idc, keys: [key], as: [`${idc}/${address}`] });
      }
  return [...found.values()];
}
