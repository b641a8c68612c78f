import { contentHash } from '../base/hash.ts';
import type { GroupView } from '../index/view.ts';
import type { Protocol, ServicePort, TrafficPolicy } from '../model/service.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import { isByName } from './naming.ts';
import type { Crossing, GroupPlan, RetryPlan } from './types.ts';

/** Protocols whose bytes are carried as they come: a TLS or MySQL connection is a TCP connection here. */
const opaque: ReadonlySet<Protocol> = new Set<Protocol>(['TCP', 'TLS', 'HTTPS', 'MONGO']);

/**
 * Whether a port of a Group is served as TCP. A wildcard host needs TLS: no other connection says which host
 * it is for. Where nobody listens, CONNECT says it.
 */
export function isTcp(view: GroupView, port: ServicePort): boolean {
  return opaque.has(port.protocol) && (!view.host.startsWith('*') || hasSni(port) || isByName(view));
}

/** Whether a client's connections begin with TLS. */
export function hasSni({ protocol }: ServicePort): boolean {
  return protocol === 'TLS' || protocol === 'HTTPS';
}

/**
 * Times that a connection is tried anew, each at another endpoint, before it is given up. As one failed
 * connection ejects an instance (`outlier.ts`), all but one of these find dead instances, and the last one
 * leaves the IDC.
 */
export const tcpConnectAttempts = 5;

/** A Group's traffic policy with what TCP needs by default. */
export function tcpPolicy(policy: TrafficPolicy): TrafficPolicy {
  return {
    ...policy,
    // Otherwise a connection to a peer that is gone without a word stays for ever: it has no idle timeout.
    tcpKeepalive: policy.tcpKeepalive ?? { probes: 3, timeMs: 60_000, intervalMs: 10_000 },
  };
}

/**
 * How connections to a TCP Group may cross: as requests may, but that no IDC hands them on. It need not: the
 * egress that a tunnel leaves by asks one permitted IDC after another (`planTcpPaths`).
 */
export function tcpCrossing(
  { host }: Pick<GroupView, 'host'>,
  crossing: Crossing | undefined,
): Crossing | undefined {
  // A tunnel is asked for by the name of its Group, and a wildcard is none.
  if (crossing === undefined || host.startsWith('*')) return undefined;
  const { handOnNamesMax: _, ...rest } = crossing;
  return rest;
}

/**
 * The paths of a TCP Group. A tunnel that another IDC refused with a gateway error was never opened, so that
 * nothing can happen twice: the egress asks the next IDC, each twice, as one of its gateways may be dead.
 */
export function planTcpPaths({ paths }: Pick<GroupPlan, 'paths'>): Pick<GroupPlan, 'paths'> {
  const tries = 2 * Math.max(1, paths.sidecar.priorities.length);
  const rule = {
    on: ['unsent', 'gateway-error'],
    retries: tries - 1,
    perTryMs: 0,
    hedged: false,
    triesPerPriority: 2,
  } as const;
  const retry: RetryPlan = { timeoutMs: 0, idempotentMethods: [], idempotent: rule, other: rule };
  return { paths: { ...paths, sidecar: { ...paths.sidecar, retry } } };
}

/** Where a sidecar listens for its workload's connections to TCP Groups. */
export interface TcpListener {
  readonly listen: ListenAddress;
  /** By host. More than one only where connections say whom they are for (`sni`). */
  readonly plans: readonly [GroupPlan, ...GroupPlan[]];
}

/**
 * The listeners of a sidecar for the TCP Groups of its scope. A Group with addresses of its own is listened
 * for on these, any other on the address of the outbound listener; always on the port of the service. Where
 * several want one address and port, the first by host has it, with all others if they speak TLS as it does;
 * HTTP goes before all (docs/decisions/036-where-tcp-is-listened-for.md).
 */
export function planTcpListeners(
  outbound: ListenAddress,
  plans: readonly GroupPlan[],
): readonly TcpListener[] {
  const found = new Map<string, { listen: ListenAddress; plans: [GroupPlan, ...GroupPlan[]] }>();
  const byHost = plans
    .filter((plan) => plan.protocol === 'tcp' && !plan.byConnect)
    .sort((a, b) => (a.group.host < b.group.host ? -1 : a.group.host > b.group.host ? 1 : 0));
  for (const plan of byHost) {
    for (const address of plan.addresses.length > 0 ? plan.addresses : [outbound.address]) {
      const listen = { address, port: plan.group.port };
      const first = found.get(keyOf(listen));
      if (first === undefined) found.set(keyOf(listen), { listen, plans: [plan] });
      else if (first.plans[0].sni && plan.sni) first.plans.push(plan);
    }
  }
  found.delete(keyOf(outbound));
  return [...found.values()];
}

/**
 * A sidecar's connection to itself, for one Group: how its connections out of the IDC come to be tunnelled.
 */
export interface Tunnel {
  readonly plan: GroupPlan;
  readonly listen: ListenAddress;
  /** The address that the connection is made from, and the only one that is let in. */
  readonly from: string;
}

/**
 * The tunnels of a sidecar: one for each TCP Group that may leave the IDC, on addresses of the loopback
 * network (on Linux all of 127.0.0.0/8 is there), from 127.128.0.0 on. They follow from the outbound listener
 * and the Group, so that sidecars which share a network namespace do not meet: of 2^35 places. Should two
 * meet nevertheless, no bytes go astray, as each lets in its own address alone.
 */
export function planTunnels(outbound: ListenAddress, plans: readonly GroupPlan[]): readonly Tunnel[] {
  return plans
    .filter(({ protocol, crossing }) => protocol === 'tcp' && crossing !== undefined)
    .map((plan) => {
      const { host, port } = plan.group;
      const hash = contentHash(`${keyOf(outbound)} ${host} ${port}`);
      const bits = (from: number) => Number.parseInt(hash.slice(from, from + 6), 16);
      return {
        plan,
        // Above the range of ephemeral ports, where hardly anybody listens on all addresses.
        listen: { address: loopback(bits(0)), port: 61_000 + (bits(6) % 4096) },
        from: loopback(bits(10)),
      };
    });
}

/** One of the addresses from 127.128.0.0 to 127.254.255.255. */
function loopback(bits: number): string {
  return `127.${128 + ((bits >> 16) % 127)}.${(bits >> 8) & 255}.${bits & 255}`;
}

function keyOf({ address, port }: ListenAddress): string {
  return `${address} ${port}`;
}
