import type { ListenAddress } from '../../model/values/listen-address.ts';

/** A Group of the drill: a host with its instances in each IDC. */
export interface WorldGroup {
  readonly name: string;
  /** Instances in each IDC, or by IDC: one that is not named has none. */
  readonly instances: number | Readonly<Record<string, number>>;
  /** Whether its health is checked, here and from other IDCs; default true. */
  readonly checked?: boolean;
  /** Whether it has hedging; default false. */
  readonly hedge?: boolean;
  /** More annotations of its ServiceEntry. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Concurrent calls of an instance, by IDC; without limit where an IDC is not named. */
  readonly slots?: Readonly<Record<string, number>>;
  /**
   * Its instances register themselves by `isthmus run`; default: they stand in the registry's folder. Not for
   * TCP.
   */
  readonly registers?: boolean;
  /** Its instances have names, which proxies look up at their IDC's own name server; default: addresses. */
  readonly named?: boolean;
  /**
   * Gives it a DR group of its own, with these additions to its `spec` as in YAML; default: it shares one
   * with the others.
   */
  readonly drGroup?: object;
  /** What its port speaks; default HTTP. An instance that speaks TCP has no sidecar beside it. */
  readonly protocol?: 'HTTP' | 'GRPC' | 'TCP';
}

/** The world that a drill asks for. */
export interface WorldPlan {
  /**
   * Names of the IDCs, 1 to 6. The first has the addresses `127.1.SLOT.*`, the second `127.2.SLOT.*`, and so
   * on.
   */
  readonly idcs: readonly string[];
  readonly groups: readonly WorldGroup[];
  /** Gateways of each kind in each IDC, 1 to 9; default 2. */
  readonly gateways?: number;
  /** The hop limit of the mesh and of the DR group, 0 to 4; default 1. */
  readonly hopLimit?: number;
  /** The order of the DR group as an IDC's own registry has it, by IDC; default: the order of `idcs`. */
  readonly order?: Readonly<Record<string, readonly string[]>>;
  /** Whether there is a DR group, so that Groups may cross to other IDCs; default true. */
  readonly crossing?: boolean;
  /** More of the DR group's `traffic`, as in YAML, such as `{ hedge: true }`. */
  readonly traffic?: object;
  /** More objects in each IDC's registry, as in YAML. */
  readonly objects?: readonly object[];
  /** More of the DR group's `spec`, as in YAML, such as `{ spill: { share: '50%' } }`. */
  readonly drGroup?: object;
  /** Whether refusals to clients of the edge contain a reason; default false. */
  readonly exposeOutcome?: boolean;
  /** More arguments for each `isthmus serve`, such as `--loop-prevention off`. */
  readonly control?: readonly string[];
  /**
   * Keep what each control plane keeps (`--state`, `--registrations`) on a disk of its own, of so many KiB
   * (needs root).
   */
  readonly diskKib?: number;
  /** Make the wall clocks of control planes adjustable. */
  readonly clocks?: boolean;
  /**
   * Put a network between the IDCs whose packets can be lost and delayed (needs root); not together with
   * `net`.
   */
  readonly wan?: boolean;
  /**
   * Put the instances of this IDC into network namespaces, so that their packets can be lost (needs root).
   */
  readonly net?: string;
}

/** Two IDCs, two Groups: the world of drills that need no other. */
export const shopWorld: WorldPlan = {
  idcs: ['sh-a', 'sh-b'],
  groups: [
    { name: 'checkout', instances: 2 },
    { name: 'catalog', instances: 1, hedge: true },
  ],
};

/** An Envoy and where its admin interface listens. */
export interface ProxyPlan {
  /** Unique in its IDC; also its node id. */
  readonly name: string;
  readonly idc: string;
  readonly admin: ListenAddress;
}

/** An ingress gateway. */
export interface IngressPlan extends ProxyPlan {
  readonly edge: ListenAddress;
  readonly peer: ListenAddress;
}

/** An egress gateway. */
export interface EgressPlan extends ProxyPlan {
  /** Its network namespace, where there is a network between the IDCs. */
  readonly netns?: string;
  readonly sidecar: ListenAddress;
  readonly ingress: ListenAddress;
}

/**
 * An instance: an application on a unix socket behind its own sidecar; of a TCP Group, the application alone.
 */
export interface InstancePlan extends ProxyPlan {
  readonly group: WorldGroup;
  /** Where its sidecar, or the application, accepts requests: its address in the registry. */
  readonly inbound: ListenAddress;
  /** Its network namespace, when it has one of its own. */
  readonly netns?: string;
}

/** A caller's sidecar. */
export interface CallerPlan extends ProxyPlan {
  readonly outbound: ListenAddress;
}

/** One IDC of the drill. All its loopback addresses begin with `prefix`. */
export interface IdcPlan {
  readonly name: string;
  readonly prefix: string;
  readonly xds: ListenAddress;
  readonly controlAdmin: ListenAddress;
  /** Its name server, where a Group's instances have names. */
  readonly dns?: ListenAddress;
  readonly ingress: readonly IngressPlan[];
  readonly egress: readonly EgressPlan[];
  readonly instances: readonly InstancePlan[];
  readonly caller: CallerPlan;
}

/** A network for the instances of one IDC, so that their packets can be lost. */
export interface NetPlan {
  readonly idc: string;
  /** First three bytes of its addresses; the machine itself is `.1`. */
  readonly prefix: string;
}

/** A network between the IDCs. */
interface WanPlan {
  /** First three bytes of its addresses; the last tells whose it is (wan-link.py). */
  readonly prefix: string;
  /** The same of the network that egress gateways share with their IDC. */
  readonly lan: string;
}

/** Everything that a drill starts, with its addresses. */
export interface Topology {
  /** The drill's id: 6 hex digits. */
  readonly id: string;
  readonly slot: number;
  readonly namespace: string;
  /** Its specification. */
  readonly plan: WorldPlan;
  readonly groups: readonly WorldGroup[];
  readonly idcs: readonly IdcPlan[];
  readonly net?: NetPlan;
  readonly wan?: WanPlan;
}

// Below the range of ephemeral ports, so that no client of the machine holds one by chance.
const ports = {
  xds: 15010,
  controlAdmin: 15014,
  dns: 15053,
  admin: 19000,
  edge: 10080,
  peer: 10443,
  egressSidecar: 10081,
  egressIngress: 10082,
  inbound: 8080,
  outbound: 15001,
  /** Of the first Group, and one more for each: of those that speak TCP. */
  tcp: 13300,
} as const;

/**
 * Lays out a world. Each IDC has its own part of the loopback network (Linux takes all of 127/8), so an
 * address identifies its IDC; `slot` (0 to 249) keeps drills that run at once on one machine apart.
 */
export function planTopology(options: {
  readonly id: string;
  readonly slot: number;
  /** Default `shopWorld`. */
  readonly world?: WorldPlan;
}): Topology {
  const { id, slot, world: plan = shopWorld } = options;
  const net = plan.net === undefined ? undefined : { idc: plan.net, prefix: `198.18.${slot}.` };
  const wan = plan.wan ? { prefix: `198.19.${slot}.`, lan: `198.18.${slot}.` } : undefined;
  const nets = { ...(net && { net }), ...(wan && { wan }) };
  const idcs = plan.idcs.map((name, i) => planIdc(name, i + 1, { id, slot }, plan, nets));
  return { id, slot, namespace: 'shop', plan, groups: plan.groups, idcs, ...nets };
}

function planIdc(
  name: string,
  number: number,
  { id, slot }: { id: string; slot: number },
  plan: WorldPlan,
  { net, wan }: { readonly net?: NetPlan; readonly wan?: WanPlan },
): IdcPlan {
  const prefix = `127.${number}.${slot}.`;
  const at = (last: number, port: number): ListenAddress => ({ address: `${prefix}${last}`, port });
  const proxy = (proxyName: string, last: number): ProxyPlan => ({
    name: proxyName,
    idc: name,
    admin: at(last, ports.admin),
  });
  const networked = net?.idc === name;
  // What is in a namespace reaches the machine at this address of its network.
  const gateway = networked ? `${net.prefix}1` : wan && `${wan.lan}${number}`;
  const instances = plan.groups.flatMap((group, g) =>
    Array.from({ length: instancesIn(group, name) }, (_, i): InstancePlan => {
      const last = 31 + 10 * g + i;
      const address = networked ? `${net.prefix}${last}` : `${prefix}${last}`;
      return {
        ...proxy(`${group.name}-${i + 1}`, last),
        admin: { address, port: ports.admin },
        group,
        inbound: { address, port: ports.inbound },
        ...(networked && { netns: `isthmus-${id}-${last}` }),
      };
    }),
  );
  const numbers = Array.from({ length: plan.gateways ?? 2 }, (_, i) => i + 1);
  return {
    name,
    prefix,
    xds: gateway === undefined ? at(2, ports.xds) : { address: gateway, port: ports.xds },
    controlAdmin: at(2, ports.controlAdmin),
    ...(plan.groups.some(({ named }) => named) && { dns: at(3, ports.dns) }),
    ingress: numbers.map((n) => ({
      ...proxy(`ingress-${n}`, 10 + n),
      // An Idc has one address for both.
      edge: wan ? { address: `${wan.prefix}${16 * number + n}`, port: ports.edge } : at(10 + n, ports.edge),
      peer: wan ? { address: `${wan.prefix}${16 * number + n}`, port: ports.peer } : at(10 + n, ports.peer),
    })),
    egress: numbers.map((n) => ({
      ...proxy(`egress-${n}`, 20 + n),
      sidecar: at(20 + n, ports.egressSidecar),
      ingress: at(20 + n, ports.egressIngress),
      ...(wan && inNamespace(`${wan.lan}${128 + 16 * number + n}`, `isthmus-${id}-e${number}`)),
    })),
    instances,
    caller: { ...proxy('caller', 91), outbound: at(91, ports.outbound) },
  };
}

/** The differences of an egress gateway in a network namespace. */
function inNamespace(address: string, netns: string): Omit<EgressPlan, 'name' | 'idc'> {
  return {
    admin: { address, port: ports.admin },
    sidecar: { address, port: ports.egressSidecar },
    ingress: { address, port: ports.egressIngress },
    netns,
  };
}

/** How many instances a Group has in an IDC. */
function instancesIn({ instances }: WorldGroup, idc: string): number {
  return typeof instances === 'number' ? instances : (instances[idc] ?? 0);
}

/** The host of a Group. */
export function hostOf(topology: Topology, group: WorldGroup): string {
  return `${group.name}.${topology.namespace}`;
}

/** The name of an instance, as name servers know it. */
export function nameOfInstance({ name, idc }: InstancePlan): string {
  return `${name}.${idc}.drill`;
}

/** The port of a Group: TCP Groups share an address and differ by port. */
export function servicePortOf({ groups }: Pick<Topology, 'groups'>, group: WorldGroup): number {
  return isTcpGroup(group) ? ports.tcp + groups.indexOf(group) : 8080;
}

/** Where a caller connects to a TCP Group: at its sidecar, by the Group's port. */
export function tcpEntranceOf(
  topology: Pick<Topology, 'groups'>,
  idc: IdcPlan,
  group: WorldGroup,
): ListenAddress {
  return { address: idc.caller.outbound.address, port: servicePortOf(topology, group) };
}

/** Whether a Group speaks TCP. */
export function isTcpGroup({ protocol }: WorldGroup): boolean {
  return protocol === 'TCP';
}

/** The instances of an IDC that have a sidecar beside them. */
export function sidecarredOf(idc: IdcPlan): InstancePlan[] {
  return idc.instances.filter(({ group }) => !isTcpGroup(group));
}

/** All Envoys of a world. */
export function proxiesOf(topology: Topology): ProxyPlan[] {
  return topology.idcs.flatMap((idc) => [...idc.ingress, ...idc.egress, ...sidecarredOf(idc), idc.caller]);
}

/** Where each instance and gateway takes requests, as `address:port`, by names such as `sh-a/checkout-1`. */
export function addressesOf(topology: Topology): Record<string, readonly string[]> {
  const named = ({ idc, name }: ProxyPlan, ...list: readonly ListenAddress[]) =>
    [`${idc}/${name}`, list.map(({ address, port }) => `${address}:${port}`)] as const;
  return Object.fromEntries(
    topology.idcs.flatMap((idc) => [
      ...idc.instances.map((instance) => named(instance, instance.inbound)),
      ...idc.ingress.map((gateway) => named(gateway, gateway.edge, gateway.peer)),
      ...idc.egress.map((gateway) => named(gateway, gateway.sidecar, gateway.ingress)),
    ]),
  );
}

/** Number of Envoys in a world. */
export function countProxies(topology: Topology): number {
  return proxiesOf(topology).length;
}

/** The IDC of that name. Throws RangeError when the topology has none. */
export function idcOf(topology: Topology, name: string): IdcPlan {
  const found = topology.idcs.find((idc) => idc.name === name);
  if (!found) throw new RangeError(`the topology has no IDC ${name}`);
  return found;
}

/** Everything that the world's own processes listen on outside of network namespaces. */
export function listenAddresses(topology: Topology): ListenAddress[] {
  return topology.idcs.flatMap((idc) => [
    idc.xds,
    idc.controlAdmin,
    ...idc.ingress.flatMap((gateway) => [gateway.admin, gateway.edge, gateway.peer]),
    ...idc.egress.flatMap((gateway) => [gateway.admin, gateway.sidecar, gateway.ingress]),
    ...idc.instances.filter((i) => i.netns === undefined).flatMap((i) => [i.admin, i.inbound]),
    idc.caller.admin,
    idc.caller.outbound,
    ...topology.groups.filter(isTcpGroup).map((group) => tcpEntranceOf(topology, idc, group)),
  ]);
}

/**
 * Each HTTP listener of each Envoy that `runs`, such as `sh-a/egress-1 sidecar`: proxy, and the listener's
 * role.
 */
export function listenerNames(
  topology: Topology,
  runs: (proxy: ProxyPlan) => boolean = () => true,
): string[] {
  const named = (proxies: readonly ProxyPlan[], ...roles: string[]) =>
    proxies.filter(runs).flatMap(({ idc, name }) => roles.map((role) => `${idc}/${name} ${role}`));
  return topology.idcs.flatMap((idc) => [
    ...named(idc.ingress, 'edge', 'peer'),
    ...named(idc.egress, 'sidecar', 'ingress'),
    ...named(sidecarredOf(idc), 'inbound'),
    ...named([idc.caller], 'outbound'),
  ]);
}
