import type { Cluster, envoy } from '../../protos/gen/envoy.d.ts';
import type { GroupPlan, ListenerRole } from '../plan/types.ts';
import { duration } from './any.ts';

type RouteAction = envoy.config.route.v3.RouteAction;
type HashPolicy = envoy.config.route.v3.RouteAction.HashPolicy;

/** The load balancing of a Group's instances. */
export function balancing({ hash, loadBalancer }: GroupPlan): Cluster {
  if (hash === undefined) return { lb_policy: loadBalancer };
  const { kind, size } = hash.table;
  return kind === 'maglev'
    ? { lb_policy: 'MAGLEV', maglev_lb_config: { table_size: String(size) } }
    : { lb_policy: 'RING_HASH', ring_hash_lb_config: { minimum_ring_size: String(size) } };
}

/** What of a request its instance is chosen by. Only the first proxy sets a cookie, and only it sees the client's address. */
export function hashing({ hash }: GroupPlan, listener: ListenerRole): Pick<RouteAction, 'hash_policy'> {
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
          ...(by.ttlMs === undefined || !sets ? {} : { ttl: duration(by.ttlMs) }),
        },
      };
  }
}
