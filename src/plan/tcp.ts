import { contentHash } from '../base/hash.ts';
import { compareText } from '../base/text/compare-text.ts';
import type { GroupView } from '../index/view.ts';
import type { Protocol, ServicePort, TrafficPolicy } from '../model/service.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import { isByName } from './naming.ts';
import type { Crossing, GroupPlan, RetryPlan } from './types.ts';

/** Protocols carried as opaque bytes: here a TLS or MySQL connection is a TCP connection. */
const opaque: ReadonlySet<Protocol> = new Set<Protocol>(['TCP', 'TLS', 'HTTPS', 'MONGO']);

/**
 * Whether a Group's port is served as TCP. A wildcard host needs TLS, as no other connection names its host.
 * Without a listener, CONNECT names it.
 */
export function isTcp(view: GroupView, port: ServicePort): boolean {
  return opaque.has(port.protocol) && (!view.host.startsWith('*') || hasSni(port) || isByName(view));
}

/** Whether a client's connections begin with TLS. */
export function hasSni({ protocol }: ServicePort): boolean {
  return protocol === 'TLS' || protocol === 'HTTPS';
}

/**
 * Connection attempts, each at another endpoint. As one failure ejects an instance (`outlier.ts`), all but
 * the last may find dead instances, and the last one leaves the IDC.
 */
export const tcpConnectAttempts = 5;

/** A Group's traffic policy with the defaults of TCP. */
export function tcpPolicy(policy: TrafficPolicy): TrafficPolicy {
  return {
    ...policy,
    // There is no idle timeout: without keepalive a connection to a dead peer would stay for ever.
    tcpKeepalive: policy.tcpKeepalive ?? { probes: 3, timeMs: 60_000, intervalMs: 10_000 },
  };
}

/**
 * How connections to a TCP Group may cross: as requests, but without handing on: the egress of a tunnel asks
 * one permitted IDC after another (`planTcpPaths`).
 */
export function tcpCrossing(
  { host }: Pick<GroupView, 'host'>,
  crossing: Crossing | undefined,
): Crossing | undefined {
  // A tunnel names its Group, which a wildcard cannot.
  if (crossing === undefined || host.startsWith('*')) return undefined;
  // Connections are counted where they leave: there are no answers that would tell.
  const { handOnNamesMax: _, onward: _onward, away: _away, ...rest } = crossing;
  return rest;
}

/**
 * The paths of a TCP Group. A tunnel refused by an IDC with a gateway error was never opened, so nothing can
 * happen twice: the egress asks the next IDC, each twice, as one of its gateways may be dead.
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

/** A sidecar's listener for its workload's connections to TCP Groups. */
export interface TcpListener {
  readonly listen: ListenAddress;
  /** By host. Several only if connections name their host (`sni`). */
  readonly plans: readonly [GroupPlan, ...GroupPlan[]];
}

/**
 * A sidecar's listeners for the TCP Groups of its scope. A Group with addresses of its own is served at
 * these, any other at the outbound listener's address; always at the service's port. If several want one
 * address and port, the first by host has it, together with all others if it and they use TLS; HTTP precedes
 * all (docs/decisions/036-where-tcp-is-listened-for.md).
 */
export function planTcpListeners(
  outbound: ListenAddress,
  plans: readonly GroupPlan[],
): readonly TcpListener[] {
  const found = new Map<string, { listen: ListenAddress; plans: [GroupPlan, ...GroupPlan[]] }>();
  const byHost = plans
    .filter((plan) => plan.protocol === 'tcp' && !plan.byConnect)
    .sort((a, b) => compareText(a.group.host, b.group.host));
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

/** A sidecar's connection to itself, through which a Group's connections out of the IDC are tunnelled. */
export interface Tunnel {
  readonly plan: GroupPlan;
  readonly listen: ListenAddress;
  /** The source address of the connection, and the only one accepted. */
  readonly from: string;
}

/**
 * A sidecar's tunnels, one for each TCP Group that may leave the IDC, on loopback addresses (Linux has all of
 * 127.0.0.0/8) from 127.128.0.0 on. They derive from the outbound listener and the Group, so that sidecars in
 * one network namespace do not collide, among 2^35 places. On a collision no bytes go astray, as each accepts
 * its own source address only.
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
        // Above the ephemeral range, where services rarely listen on all addresses.
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
