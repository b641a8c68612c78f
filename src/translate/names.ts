import type { ListenAddress } from '../model/values/listen-address.ts';
import type { GroupPort } from '../plan/types.ts';

/** Every name that Envoy sees. A Group is always named `host:port`. */
export function groupName(group: GroupPort): string {
  return `${group.host}:${group.port}`;
}

/** Cluster (and EDS service) of the instances of a Group in this IDC. */
export function instancesCluster(group: GroupPort): string {
  return `instances/${groupName(group)}`;
}

/** Cluster that a Group's requests go to where they may leave the IDC: instances first, then the egress. */
export function failoverCluster(group: GroupPort): string {
  return `failover/${groupName(group)}`;
}

/** Cluster (and EDS service) of other IDCs' ingress gateways, for one Group, at the egress. */
export function idcsCluster(group: GroupPort): string {
  return `idcs/${groupName(group)}`;
}

/** Cluster (and EDS service) of the own IDC's egress gateways: one for all Groups. */
export const egressCluster = 'egress';

/**
 * The way of one TCP Group out of the IDC: a cluster of a sidecar, and the sidecar's listener that it leads
 * to.
 */
export function tunnelName(group: GroupPort): string {
  return `tunnel/${groupName(group)}`;
}

/** Cluster of all hosts that requests alone name. */
export const passthroughCluster = 'passthrough';

/** A sidecar's listener for one TCP Group at one address. */
export function tcpListenerName(group: GroupPort, listen: ListenAddress): string {
  return `tcp/${groupName(group)}/${listen.address}`;
}

/** A sidecar's listener for all Groups whose TLS connections arrive at one address. */
export function tlsListenerName(listen: ListenAddress): string {
  return `tls/${listen.address}:${listen.port}`;
}

/** What all headers of Isthmus's own begin with; none of them reaches a workload or a client. */
export const headerPrefix = 'x-isthmus-';

/**
 * Marks a request that was sent a second time to warm an instance; unlike the others it is for the workload
 * to see.
 */
export const mirroredHeader = 'x-mirrored-by';

/**
 * Where an IDC's ingress gateways answer other IDCs' egress gateways whether they have anybody for a Group.
 */
export const healthPath = '/.isthmus/health';

/** Marks a gRPC health check of another IDC's egress, which has no path of its own. */
export const crossingCheckHeader = 'x-isthmus-check';

/**
 * Cluster (and EDS service) of the ports at which a Group's instances are asked for their health, where these
 * are others.
 */
export function checksCluster(group: GroupPort): string {
  return `checks/${groupName(group)}`;
}

/**
 * Key under `envoy.lb`: of a request the set of IDCs that it visited, of an endpoint the sets that may take
 * it.
 */
export const visitedKey = 'visited';

/**
 * A response with it marks the host that gave it as unhealthy at once (Envoy, "Health checking", immediate
 * failure).
 */
export const failHealthHeader = 'x-envoy-immediate-health-check-fail';

/** A response with it marks the host that gave it as one to take last (Envoy, "Degraded endpoints"). */
export const degradedHeader = 'x-envoy-degraded';
