import type { Cluster, envoy } from '../../../protos/gen/envoy.d.ts';
import type { Warmup } from '../../model/service.ts';
import type { GroupPlan, ListenerRole } from '../../plan/types.ts';
import { protoDuration } from '../message-parts.ts';

type RouteAction = envoy.config.route.v3.RouteAction;
type HashPolicy = envoy.config.route.v3.RouteAction.HashPolicy;

/** A Group's load balancing. */
export function loadBalancing({ hash, loadBalancer, warmup }: GroupPlan): Cluster {
  if (hash === undefined)
    return { lb_policy: loadBalancer, ...(warmup === undefined ? {} : slowStart(loadBalancer, warmup)) };
  const { kind, size } = hash.table;
  return kind === 'maglev'
    ? { lb_policy: 'MAGLEV', maglev_lb_config: { table_size: String(size) } }
    : { lb_policy: 'RING_HASH', ring_hash_lb_config: { minimum_ring_size: String(size) } };
}

function slowStart(loadBalancer: GroupPlan['loadBalancer'], warmup: Warmup): Cluster {
  const slow_start_config = {
    slow_start_window: protoDuration(warmup.durationMs),
    aggression: { default_value: warmup.aggression, runtime_key: 'isthmus.warmup_aggression' },
    min_weight_percent: { value: warmup.minimumPercent },
  };
  if (loadBalancer === 'ROUND_ROBIN') return { round_robin_lb_config: { slow_start_config } };
  return loadBalancer === 'LEAST_REQUEST' ? { least_request_lb_config: { slow_start_config } } : {};
}

/**
 * The hash policies of a Group's requests. Only the first proxy sets a cookie, and only it sees the client's
 * address.
 */
export function hashPolicy({ hash }: GroupPlan, listener: ListenerRole): Pick<RouteAction, 'hash_policy'> {
  const isFirst = listener === 'outbound' || listener === 'edge';
  if (hash === undefined || (!isFirst && listener !== 'peer')) return {};
  return { hash_policy: [policyOf(hash.by, isFirst)] };
}

function policyOf(by: NonNullable<GroupPlan['hash']>['by'], sets: boolean): HashPolicy {
  switch (by.kind) {
    case 'header':
      return { header: { header_name: by.name } };
    case 'query':
      return { query_parameter: { name: by.name } };
    case 'source-ip':
      return { connection_properties: { source_ip: true } };
    case 'cookie':
      return {
        cookie: {
          name: by.name,
          ...(by.path === undefined ? {} : { path: by.path }),
          ...(by.ttlMs === undefined || !sets ? {} : { ttl: protoDuration(by.ttlMs) }),
        },
      };
  }
}
