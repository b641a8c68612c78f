import type { envoy } from '../../protos/gen/envoy.d.ts';
import type { GroupPlan } from '../plan/types.ts';

/** Request header that tells a sidecar what its workload speaks, and its one value: HTTP/1.1. */
export const [appHeader, appHttp1] = ['x-isthmus-app', 'http1'] as const;

/**
 * How a sidecar that is spoken to in HTTP/2 learns that its workload speaks HTTP/1.1; a part of a route or a
 * check.
 */
export function appProtocol({ protocol, sidecars }: Pick<GroupPlan, 'protocol' | 'sidecars'>): {
  request_headers_to_add?: envoy.config.core.v3.HeaderValueOption[];
} {
  if (!sidecars || protocol !== 'http1') return {};
  const header = { key: appHeader, value: appHttp1 };
  return { request_headers_to_add: [{ header, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' }] };
}
