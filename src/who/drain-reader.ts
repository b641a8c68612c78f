import { compareText } from '../base/text/compare-text.ts';
import { closest } from '../base/text/suggest.ts';
import type { DrainEffect, NamedInstance } from '../contract/orders/drains.ts';
import type { Declaration, GroupView, Instance, MeshView } from '../index/view.ts';
import type { Ref } from '../model/object.ts';
import { showEndpoint } from '../model/values/listen-address.ts';
import { portOf } from '../plan/group.ts';
import type { GroupPlan } from '../plan/types.ts';
import { awayCluster, egressCluster, instancesCluster } from '../translate/names.ts';
import { isPlanOf, seesPlan } from './declared.ts';
import { type Exits, type ExitsOptions, findLostExits } from './gateways/exits.ts';
import { judgeHosts, totalHosts } from './hosts.ts';
import { chooseProxies, readAll } from './read-proxies.ts';
import type { AskedProxy, ProxyReading } from './types.ts';
import type { WhoOptions } from './who-options.ts';

/** A text is compared with no more names than so many. */
const comparedMax = 2_000;

type InFlight = NonNullable<DrainEffect['inFlight']>;

/** What would be left of an instance's hosts without it, and what is still at it. */
interface WithoutInstance {
  readonly hosts: DrainEffect['hosts'];
  /** Absent: no proxy could be read. */
  readonly inFlight?: InFlight;
}

/** Answers what draining an instance would do, by what proxies say. */
export interface DrainReader {
  /** The instances that a text may mean: `NAMESPACE/NAME`, `NAME`, an address, or one with a port. */
  findInstances(text: string): readonly NamedInstance[];
  /** The name nearest to a text that means no instance, in the text's form; undefined: none is near. */
  nearestTo(text: string): string | undefined;
  /** Whether a WorkloadEntry of this name is declared. */
  isDeclared(key: Pick<Ref, 'namespace' | 'name'>): boolean;
  /** Reads the proxies that have the instance once. */
  without(key: Pick<Ref, 'namespace' | 'name'>): Promise<WithoutInstance>;
}

/** What a reader needs. */
interface DrainReaderOptions extends ExitsOptions, Pick<WhoOptions, 'plansOf' | 'read'> {
  /** The instance of a WorkloadEntry, whether a ServiceEntry selects it or not. */
  instanceOf(ref: Ref): Instance | undefined;
}

/** Creates a reader: it keeps nothing between questions. */
export function createDrainReader(options: DrainReaderOptions): DrainReader {
  const { view, instanceOf } = options;
  const refOf = ({ namespace, name }: Pick<Ref, 'namespace' | 'name'>): Ref => {
    return { kind: 'WorkloadEntry', namespace, name };
  };
  return {
    findInstances: (text) => findInstances(view(), instanceOf, text),
    nearestTo: (text) => closest(text, instanceNames(view(), text.includes('/'))),
    isDeclared: (key) => instanceOf(refOf(key)) !== undefined,
    without: (key) => readWithout(options, refOf(key)),
  };
}

/** All instances of a Group's ServiceEntries, for all of its callers. */
function declarationsOf(view: GroupView): readonly Declaration[] {
  return [view, ...(view.others ?? [])].flatMap((one) => [one, ...(one.siblings ?? [])]);
}

/** Names of instances, `NAMESPACE/NAME` if `isWhole`. */
function instanceNames({ groups }: MeshView, isWhole: boolean): ReadonlySet<string> {
  const names = new Set<string>();
  for (const view of groups.values())
    for (const { instances } of declarationsOf(view))
      for (const { ref } of instances) {
        if (ref !== undefined) names.add(isWhole ? `${ref.namespace}/${ref.name}` : ref.name);
        if (names.size >= comparedMax) return names;
      }
  return names;
}

function findInstances(
  { groups }: MeshView,
  instanceOf: DrainReaderOptions['instanceOf'],
  text: string,
): readonly NamedInstance[] {
  const found = new Map<string, { readonly instance: Instance; readonly ref: Ref; hosts: Set<string> }>();
  const [namespace = '', name = ''] = text.split('/');
  const exact: Ref = { kind: 'WorkloadEntry', namespace, name };
  const own = name === '' ? undefined : instanceOf(exact);
  // Also one that no ServiceEntry selects.
  if (own !== undefined) found.set(text, { instance: own, ref: exact, hosts: new Set() });
  for (const [host, view] of groups)
    for (const { entry, instances } of declarationsOf(view))
      for (const instance of instances) {
        const { ref } = instance;
        if (ref === undefined || !isMeant(instance, ref, entry.spec.ports, text)) continue;
        const key = `${ref.namespace}/${ref.name}`;
        const known = found.get(key) ?? { instance, ref, hosts: new Set() };
        known.hosts.add(host);
        found.set(key, known);
      }
  return [...found]
    .sort(([a], [b]) => compareText(a, b))
    .map(([, { instance, ref, hosts }]) => ({
      ...{ namespace: ref.namespace, name: ref.name, address: instance.address, idc: instance.idc },
      ...{ hosts: [...hosts].sort(compareText), isDrained: instance.drained === true },
    }));
}

function isMeant(
  instance: Instance,
  { namespace, name }: Ref,
  ports: Declaration['entry']['spec']['ports'],
  text: string,
): boolean {
  if (text === name || text === `${namespace}/${name}` || text === instance.address) return true;
  const { address } = instance;
  // Most texts are names: no list of ports is made for them.
  if (!text.includes(':')) return false;
  return ports.some((port) => showEndpoint({ address, port: portOf(instance, port) }) === text);
}

/** A port of a host that has the instance, and where. */
interface Place {
  readonly plan: GroupPlan;
  /** `ADDRESS:PORT`. */
  readonly at: string;
}

function placesOf({ view, plansOf }: DrainReaderOptions, ref: Ref): readonly Place[] {
  const isIt = (one: Instance) => one.ref?.name === ref.name && one.ref.namespace === ref.namespace;
  return [...view().groups].flatMap(([host, group]) => {
    if (!declarationsOf(group).some(({ instances }) => instances.some(isIt))) return [];
    return plansOf(host).flatMap((plan): Place[] => {
      const own = [group, ...(group.others ?? [])].find((one) => isPlanOf(one, plan));
      const places = own === undefined ? [] : [own, ...(own.siblings ?? [])].flatMap(placesIn(plan, isIt));
      return places.slice(0, 1).flatMap((at) => (has(plan, at) ? [{ plan, at }] : []));
    });
  });
}

function placesIn({ group }: GroupPlan, isIt: (one: Instance) => boolean) {
  return ({ entry, instances }: Declaration): readonly string[] => {
    const port = entry.spec.ports.find(({ number }) => number === group.port);
    const instance = instances.find(isIt);
    if (port === undefined || instance === undefined) return [];
    return [showEndpoint({ address: instance.address, port: portOf(instance, port) })];
  };
}

const addressesIn = (localities: GroupPlan['instances'] = []): readonly string[] =>
  localities.flatMap(({ endpoints }) => endpoints.map(showEndpoint));

/** Whether proxies here get it: instances of other IDCs are reached through gateways. */
function has({ instances, drained }: GroupPlan, at: string): boolean {
  return addressesIn(instances).includes(at) || addressesIn(drained).includes(at);
}

async function readWithout(options: DrainReaderOptions, ref: Ref): Promise<WithoutInstance> {
  const idc = options.instanceOf(ref)?.idc ?? options.idc;
  const places = placesOf(options, ref);
  const having = [...options.proxies()].filter(
    (proxy) => proxy.role !== 'grpc' && places.some(({ plan }) => seesPlan(proxy, plan)),
  );
  const names = [
    ...new Set(places.flatMap(({ plan }) => [instancesCluster(plan.group), awayCluster(plan)])),
    egressCluster,
  ];
  const answers = await readAll(chooseProxies(having), names, options.read);
  const readings = [...answers].flatMap(([proxy, seen]): ProxyReading[] =>
    typeof seen === 'string' ? [] : [{ proxy, before: seen, after: seen }],
  );
  const isCaller = ({ role }: AskedProxy) => role !== 'egress';
  const callers = readings.filter(({ proxy }) => isCaller(proxy));
  const leaving = await findLostExits(
    options,
    readings.map(({ proxy }) => proxy),
  );
  const looks = places.map((place) => lookAt(place, readings, idc, leaving));
  const connected = having.filter(isCaller).length;
  return {
    hosts: looks.map(({ report }) => report),
    ...(callers.length === 0
      ? {}
      : {
          inFlight: {
            requests: looks.reduce((sum, { active }) => sum + active, 0),
            ...{ read: callers.length, connected },
          },
        }),
  };
}

function lookAt({ plan, at }: Place, all: readonly ProxyReading[], idc: string, { isCutOff }: Exits) {
  const readings = all.filter(({ proxy }) => seesPlan(proxy, plan));
  const near = totalHosts(
    readings.filter(({ proxy }) => proxy.role !== 'egress'),
    instancesCluster(plan.group),
  );
  const hosts = near.reports(0);
  const own = hosts.find(({ address }) => address === at);
  const others = new Set(addressesIn(plan.instances).filter((address) => address !== at));
  const usable = hosts.filter(({ address, usableAt }) => usableAt > 0 && others.has(address)).length;
  const isRead = near.readings > 0;
  const { host, port } = plan.group;
  const left = isRead ? usable : others.size;
  const serves = !isRead || (own?.usableAt ?? 0) > 0;
  const report: DrainEffect['hosts'][number] = {
    ...{ host, port, idc, instances: others.size, usable: left, isLast: serves && left === 0 },
    elsewhere: isCutOff ? [] : idcsThatCan(plan, readings),
    isKnownBy: isRead ? 'proxies' : 'registry',
  };
  return { report, active: own?.active ?? 0 };
}

/** Other IDCs whose gateways egress gateways may use; all of the DR group's while none of them is read. */
function idcsThatCan(plan: GroupPlan, readings: readonly ProxyReading[]): string[] {
  const far = totalHosts(
    readings.filter(({ proxy }) => proxy.role === 'egress'),
    awayCluster(plan),
  );
  return (plan.crossing?.idcs ?? [])
    .map(({ idc }) => idc)
    .filter((idc) => far.readings === 0 || judgeHosts(far.reports(0, undefined, idc)) === 'yes');
}
