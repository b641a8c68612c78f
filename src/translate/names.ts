import type { ListenAddress } from '../model/values/listen-address.ts';
import type { GroupPlan, GroupPort } from '../plan/types.ts';

/** Names in Envoy's configuration. A Group's name is `host:port`. */
export function groupName(group: GroupPort): string {
  return `${group.host}:${group.port}`;
}

/** Cluster (and EDS service) of a Group's instances in this IDC. */
export function instancesCluster(group: GroupPort): string {
  return `instances/${groupName(group)}`;
}

/** Cluster of a Group that may leave the IDC: instances first, then the egress. */
export function failoverCluster(group: GroupPort): string {
  return `failover/${groupName(group)}`;
}

/**
 * Cluster (and EDS service) of other IDCs' ingress gateways, at the egress, for a Group's requests that begin
 * in this IDC: shared by all Groups with equal `Crossing.away`, or the Group's own, `idcs/HOST:PORT`.
 */
export function awayCluster({ group, crossing }: Pick<GroupPlan, 'group' | 'crossing'>): string {
  return crossing?.away === undefined ? `idcs/${groupName(group)}` : sharedAwayCluster(crossing.away);
}

/** The same of all Groups with this `Crossing.away`. */
export function sharedAwayCluster(away: string): string {
  return `away/${away}`;
}

/**
 * Cluster (and EDS service) of other IDCs' ingress gateways for requests that another IDC has handed on: one
 * for all Groups with equal `Crossing.onward`, at the egress.
 */
export function onwardCluster(onward: string): string {
  return `onward/${onward}`;
}

/** Cluster (and EDS service) of the local egress gateways: one for all Groups. */
export const egressCluster = 'egress';

/** A TCP Group's exit from the IDC: a sidecar's cluster, and the sidecar's listener that it leads to. */
export function tunnelName(group: GroupPort): string {
  return `tunnel/${groupName(group)}`;
}

/** Cluster of all hosts named by requests. */
export const passthroughCluster = 'passthrough';

/** A sidecar's listener for a TCP Group at one address. */
export function tcpListenerName(group: GroupPort, listen: ListenAddress): string {
  return `tcp/${groupName(group)}/${listen.address}`;
}

/** A sidecar's listener for all Groups with TLS connections at one address. */
export function tlsListenerName(listen: ListenAddress): string {
  return `tls/${listen.address}:${listen.port}`;
}

/** The prefix of Isthmus's headers, none of which reaches a workload or a client. */
export const headerPrefix = 'x-isthmus-';

/** Marks a request mirrored to warm an instance; the workload sees this one. */
export const mirroredHeader = 'x-mirrored-by';

/** The path of health checks from other IDCs' egress gateways. */
export const healthPath = '/.isthmus/health';

/** Marks a gRPC health check from another IDC's egress, which has no path of its own. */
export const crossingCheckHeader = 'x-isthmus-check';

/** Cluster (and EDS service) of the instances' separate health check ports. */
export function checksCluster(group: GroupPort): string {
  return `checks/${groupName(group)}`;
}

/** Key under `envoy.lb`: a request's visited set; an endpoint's permitted sets. */
export const visitedKey = 'visited';

/**
 * A response header that makes the sending host unhealthy at once (Envoy, "Health checking", immediate
 * failure).
 */
export const failHealthHeader = 'x-envoy-immediate-health-check-fail';

/** A response header that makes the sending host degraded (Envoy, "Degraded endpoints"). */
export const degradedHeader = 'x-envoy-degraded';
