import type { ConnectionPlan } from '../../plan/types.ts';

/** Connections to gateways, of one Group or to the own egress. */
export const gatewayConnection: ConnectionPlan = {
  connectTimeoutMs: 250,
  idleTimeoutMs: 3_600_000,
  maxConnections: 16_384,
  maxPendingRequests: 16_384,
  maxRequests: 16_384,
  maxRetries: 1_024,
  maxRequestsPerConnection: 0,
};

/** How many times the limits of one Group a cluster has that many Groups share. */
const sharedTimes = 64;

/**
 * Of such a cluster: the limits of one Group would let a few that wait for a slow IDC stop all others. The
 * gateway's memory has a limit of its own (`overload.ts`), and so has what an IDC takes of a Group.
 */
export const sharedConnection: ConnectionPlan = {
  ...gatewayConnection,
  maxConnections: sharedTimes * gatewayConnection.maxConnections,
  maxPendingRequests: sharedTimes * gatewayConnection.maxPendingRequests,
  maxRequests: sharedTimes * gatewayConnection.maxRequests,
  maxRetries: sharedTimes * gatewayConnection.maxRetries,
};
