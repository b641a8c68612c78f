import type { envoy } from '../../protos/gen/envoy.d.ts';
import type { GroupPlan } from '../plan/types.ts';
import { setHeader } from './message-parts.ts';

/** Request header with the workload's protocol for its sidecar; its only value: HTTP/1.1. */
export const [appHeader, appHttp1] = ['x-isthmus-app', 'http1'] as const;

/**
 * Headers that tell a sidecar, addressed by HTTP/2, that its workload speaks HTTP/1.1; for a route or a
 * health check.
 */
export function appProtocol({ protocol, sidecars }: Pick<GroupPlan, 'protocol' | 'sidecars'>): {
  request_headers_to_add?: envoy.config.core.v3.HeaderValueOption[];
} {
  if (!sidecars || protocol !== 'http1') return {};
  return { request_headers_to_add: [setHeader(appHeader, appHttp1)] };
}
