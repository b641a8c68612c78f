import type { GroupView, Instance } from '../index/view.ts';
import type { GroupTraffic } from '../model/idc.ts';
import type { TrafficPolicy } from '../model/service.ts';
import { addressKind } from '../model/values/address.ts';
import { planOutlier } from './health/outlier.ts';
import type { planNaming } from './naming.ts';
import { planRetryBudget } from './retries/budget.ts';
import { planRetry, trafficDefaults } from './retries/retry.ts';
import { planTls } from './tls.ts';
import type { ConnectionPlan, Crossing, GroupPlan, HealthCheck, RetryPlan } from './types.ts';

type Naming = NonNullable<ReturnType<typeof planNaming>>;

/** How requests are spread over instances, how these are spoken to, and when one is left out. */
export function planCluster(
  {
    view,
    naming,
    traffic,
  }: { readonly view: GroupView; readonly naming: Naming; readonly traffic: GroupTraffic },
  port: {
    readonly protocol: GroupPlan['protocol'];
    /** As declared; `policy`: what of it the protocol knows. */
    readonly given: TrafficPolicy;
    readonly policy: TrafficPolicy;
    readonly health: HealthCheck | undefined;
    readonly crossing: Crossing | undefined;
  },
) {
  const { protocol, given, policy, health, crossing } = port;
  const { isExternal } = naming;
  const sidecars = protocol !== 'tcp' && traffic.sidecars === true;
  return {
    idleTimeoutMs: traffic.idleTimeoutMs ?? trafficDefaults.idleTimeoutMs,
    retryBodyBytes: traffic.retryBodyBytes ?? trafficDefaults.retryBodyBytes,
    ...(policy.warmup === undefined ? {} : { warmup: policy.warmup }),
    ...(given.zonePreference === undefined ? {} : { zonePreference: given.zonePreference }),
    ...(policy.hash === undefined ? {} : { hash: policy.hash }),
    loadBalancer: policy.loadBalancer ?? 'LEAST_REQUEST',
    connection: {
      ...(protocol === 'tcp' ? {} : evidence(naming.instances, { isExternal, sidecars })),
      ...planConnection(policy, isExternal),
    },
    ...planTls(view.host, view.entry, policy),
    sidecars,
    ...withBudget(protocol === 'tcp' ? undefined : planRetryBudget(traffic)),
    outlier: planOutlier(given, {
      protocol,
      checked: health !== undefined,
      leaves: crossing !== undefined,
      timed: isTimed(planRetry('outbound', traffic)),
    }),
  } satisfies Partial<GroupPlan>;
}

function withBudget(retryBudget: GroupPlan['retryBudget']): Pick<GroupPlan, 'retryBudget'> {
  return retryBudget === undefined ? {} : { retryBudget };
}

/** Whether the first proxy gives up a request or a try for its time. */
function isTimed({ timeoutMs, idempotent }: RetryPlan): boolean {
  return timeoutMs > 0 || idempotent.perTryMs > 0;
}

/**
 * A peer that reads nothing for so long is taken for gone, though its kernel confirms: Linux does not tell a
 * closed window from silence. So it is longer than any application pauses in the middle of an upload.
 */
const unacknowledgedMs = 30_000;

/**
 * What tells a connection whose peer is gone without a word: neither a guess at how long an answer takes nor
 * a check. Not where an instance listens on a unix socket, which has no such options, and no peer to lose;
 * not of what was sent where PING tells.
 */
function evidence(
  instances: readonly Instance[],
  { isExternal, sidecars }: { readonly isExternal: boolean; readonly sidecars: boolean },
): Pick<ConnectionPlan, 'unacknowledgedMs' | 'tcpKeepalive'> {
  if (instances.some(({ address }) => addressKind(address) === 'unix')) return {};
  return {
    ...(sidecars ? {} : { unacknowledgedMs }),
    // Across the internet a second of loss is no death.
    tcpKeepalive: isExternal
      ? { probes: 3, timeMs: 10_000, intervalMs: 5_000 }
      : { probes: 3, timeMs: 2_000, intervalMs: 1_000 },
  };
}

function planConnection(policy: TrafficPolicy, isExternal: boolean): ConnectionPlan {
  return {
    connectTimeoutMs: policy.connectTimeoutMs ?? (isExternal ? externalConnectTimeoutMs : 250),
    // Node's servers close after 5 s of silence, most others later: the proxy closes first, or requests meet
    // a closing connection.
    idleTimeoutMs: policy.idleTimeoutMs ?? 4_000,
    maxConnections: policy.maxConnections ?? 16_384,
    maxPendingRequests: policy.maxPendingRequests ?? 16_384,
    maxRequests: policy.maxRequests ?? 16_384,
    // Envoy's default of 3 fails requests in an outage, when every request is retried at once.
    maxRetries: policy.maxRetries ?? 1_024,
    maxRequestsPerConnection: policy.maxRequestsPerConnection ?? 0,
    ...(policy.tcpKeepalive === undefined ? {} : { tcpKeepalive: policy.tcpKeepalive }),
  };
}

/** Across the internet: a lost first packet costs a second, and TLS some round trips more. */
const externalConnectTimeoutMs = 5_000;
