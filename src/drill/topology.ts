import type { ListenAddress } from '../model/node.ts';

/** A Group of the drill: a host with its instances in each IDC. */
export interface GroupPlan {
  readonly name: string;
  /** Instances in each IDC. */
  readonly instances: number;
}

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
  readonly sidecar: ListenAddress;
  readonly ingress: ListenAddress;
}

/** An instance: an application on a unix socket behind its own sidecar. */
export interface InstancePlan extends ProxyPlan {
  readonly group: GroupPlan;
  /** Where its sidecar takes requests: what the registry knows of it. */
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

/** Everything that a drill will start, with its addresses. */
export interface Topology {
  /** The drill's id: 6 hex digits. */
  readonly id: string;
  readonly slot: number;
  readonly namespace: string;
  readonly groups: readonly GroupPlan[];
  readonly idcs: readonly IdcPlan[];
  readonly net?: NetPlan;
}

/** The Groups of `make drill`. */
const drillGroups: readonly GroupPlan[] = [
  { name: 'checkout', instances: 2 },
  { name: 'catalog', instances: 1 },
];

/** The IDC whose outage is drilled, and the one that stands in for it. */
export const [lostIdc, otherIdc] = ['sh-a', 'sh-b'] as const;

// Below the range of ephemeral ports, so that no client of the machine holds one by chance.
const ports = {
  xds: 15010,
  controlAdmin: 15014,
  admin: 19000,
  edge: 10080,
  peer: 10443,
  egressSidecar: 10081,
  egressIngress: 10082,
  inbound: 8080,
  outbound: 15001,
} as const;

/**
 * Lays out two IDCs. Each has its own part of the loopback network (Linux takes all of 127/8), so an address
 * tells whose it is; `slot` (0 to 249) keeps drills that run at once on one machine apart.
 */
export function planTopology(options: {
  readonly id: string;
  readonly slot: number;
  /** Put the instances of the IDC that is lost into network namespaces. */
  readonly net?: boolean;
}): Topology {
  const net = options.net ? { idc: lostIdc, prefix: `198.18.${options.slot}.` } : undefined;
  const idcs = [lostIdc, otherIdc].map((name, i) => planIdc(name, i + 1, options, net));
  const namespace = 'shop';
  return { id: options.id, slot: options.slot, namespace, groups: drillGroups, idcs, ...(net && { net }) };
}

function planIdc(
  name: string,
  number: number,
  { id, slot }: { id: string; slot: number },
  net: NetPlan | undefined,
): IdcPlan {
  const prefix = `127.${number}.${slot}.`;
  const at = (last: number, port: number): ListenAddress => ({ address: `${prefix}${last}`, port });
  const proxy = (proxyName: string, last: number): ProxyPlan => ({
    name: proxyName,
    idc: name,
    admin: at(last, ports.admin),
  });
  const networked = net?.idc === name;
  const instances = drillGroups.flatMap((group, g) =>
    Array.from({ length: group.instances }, (_, i): InstancePlan => {
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
  return {
    name,
    prefix,
    // Instances in namespaces reach the machine at their network's `.1`.
    xds: networked ? { address: `${net.prefix}1`, port: ports.xds } : at(2, ports.xds),
    controlAdmin: at(2, ports.controlAdmin),
    ingress: [1, 2].map((n) => ({
      ...proxy(`ingress-${n}`, 10 + n),
      edge: at(10 + n, ports.edge),
      peer: at(10 + n, ports.peer),
    })),
    egress: [1, 2].map((n) => ({
      ...proxy(`egress-${n}`, 20 + n),
      sidecar: at(20 + n, ports.egressSidecar),
      ingress: at(20 + n, ports.egressIngress),
    })),
    instances,
    caller: { ...proxy('caller', 91), outbound: at(91, ports.outbound) },
  };
}

/** The host of a Group. */
export function hostOf(topology: Topology, group: GroupPlan): string {
  return `${group.name}.${topology.namespace}`;
}

/** Number of Envoys in a world. */
export function countProxies(topology: Topology): number {
  return topology.idcs.reduce(
    (sum, idc) => sum + idc.ingress.length + idc.egress.length + idc.instances.length + 1,
    0,
  );
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
  ]);
}

/** Each HTTP listener of each Envoy, such as `sh-a/egress-1 sidecar`: proxy, and the listener's role. */
export function listenerNames(topology: Topology): string[] {
  const named = (proxies: readonly ProxyPlan[], ...roles: string[]) =>
    proxies.flatMap(({ idc, name }) => roles.map((role) => `${idc}/${name} ${role}`));
  return topology.idcs.flatMap((idc) => [
    ...named(idc.ingress, 'edge', 'peer'),
    ...named(idc.egress, 'sidecar', 'ingress'),
    ...named(idc.instances, 'inbound'),
    ...named([idc.caller], 'outbound'),
  ]);
}
