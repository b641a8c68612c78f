import { MeshError } from '../base/error.ts';
import type { HostReason } from '../contract/who.ts';
import type { SeenClusters, SeenHost } from './types.ts';

/** A host in Envoy's `/clusters?format=json` (envoy.admin.v3.HostStatus). Zero values are left out. */
interface HostStatus {
  readonly address?: {
    readonly socket_address?: { readonly address?: string; readonly port_value?: number };
    readonly pipe?: { readonly path?: string };
  };
  readonly stats?: readonly { readonly name?: string; readonly value?: string }[];
  readonly health_status?: {
    readonly failed_active_health_check?: boolean;
    readonly failed_outlier_check?: boolean;
    readonly failed_active_degraded_check?: boolean;
    readonly pending_dynamic_removal?: boolean;
    readonly pending_active_hc?: boolean;
    readonly excluded_via_immediate_hc_fail?: boolean;
    readonly active_hc_timeout?: boolean;
    readonly eds_health_status?: string;
  };
  readonly weight?: number;
  readonly hostname?: string;
  readonly priority?: number;
  readonly locality?: { readonly region?: string; readonly zone?: string };
}

interface ClusterStatus {
  readonly name?: string;
  readonly host_statuses?: readonly HostStatus[];
}

/** Statuses of endpoints that Envoy does not send requests to. */
const declaredUnhealthy: readonly (string | undefined)[] = ['UNHEALTHY', 'TIMEOUT'];

/** Parses Envoy's `/clusters?format=json`. Throws MeshError `invalid` if it is something else. */
export function parseClustersPage(text: string): SeenClusters {
  const clusters = clustersIn(text);
  return new Map(clusters.map(({ name = '', host_statuses = [] }) => [name, host_statuses.map(hostOf)]));
}

function clustersIn(text: string): readonly ClusterStatus[] {
  try {
    const { cluster_statuses: list = [] } = JSON.parse(text) as {
      cluster_statuses?: readonly ClusterStatus[];
    };
    if (Array.isArray(list)) return list;
  } catch {
    // Reported below.
  }
  throw new MeshError('invalid', 'its answer is not what an Envoy says of its clusters');
}

function hostOf(status: HostStatus): SeenHost {
  const { address: { socket_address: socket, pipe } = {}, hostname, weight = 1, priority = 0 } = status;
  const ip = socket?.address ?? '';
  const stat = (name: string) => Number(status.stats?.find((one) => one.name === name)?.value ?? 0);
  const why = reasonsOf(status);
  return {
    address:
      pipe === undefined
        ? `${ip.includes(':') ? `[${ip}]` : ip}:${socket?.port_value ?? 0}`
        : `unix://${pipe.path}`,
    ...(hostname === undefined || hostname === '' ? {} : { hostname }),
    ...{ priority, weight, idc: status.locality?.region ?? '', zone: status.locality?.zone ?? '' },
    ...{ health: healthOf(why), why, requests: stat('rq_total'), active: stat('rq_active') },
  };
}

/** The reasons in the order in which Envoy counts them. */
function reasonsOf({ health_status: flags = {} }: HostStatus): HostReason[] {
  const why: HostReason[] = [];
  if (flags.failed_active_health_check === true) {
    if (flags.excluded_via_immediate_hc_fail === true) why.push('told-unhealthy');
    else if (flags.pending_active_hc === true) why.push('not-checked');
    else why.push(flags.active_hc_timeout === true ? 'check-timeout' : 'check-failed');
  }
  if (flags.failed_outlier_check === true) why.push('ejected');
  if (declaredUnhealthy.includes(flags.eds_health_status)) why.push('declared-unhealthy');
  if (flags.eds_health_status === 'DRAINING') why.push('drained');
  if (flags.eds_health_status === 'DEGRADED') why.push('last-resort');
  if (flags.failed_active_degraded_check === true) why.push('degraded');
  if (flags.pending_dynamic_removal === true) why.push('being-removed');
  return why;
}

/** Reasons that do not keep requests away. */
const harmless: readonly HostReason[] = ['last-resort', 'degraded', 'being-removed'];

/** As Envoy's load balancers count it (`Host::coarseHealth`). */
function healthOf(why: readonly HostReason[]): SeenHost['health'] {
  if (why.some((reason) => !harmless.includes(reason))) return 'unhealthy';
  return why.includes('last-resort') || why.includes('degraded') ? 'degraded' : 'healthy';
}
