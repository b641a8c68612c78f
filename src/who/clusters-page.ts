import { MeshError } from '../base/error.ts';
import type { HostReason } from '../contract/who.ts';
import type { PageReader } from './pages/http-page.ts';
import { NestedList } from './pages/nested-list.ts';
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

/** Statuses of endpoints that Envoy does not send requests to. */
const declaredUnhealthy: readonly (string | undefined)[] = ['UNHEALTHY', 'TIMEOUT'];

/** More hosts are not kept, and no longer texts: whoever answers may be no Envoy. */
const hostLimits = { hostsMax: 50_000, textMax: 512 } as const;

/** Parses Envoy's `/clusters?format=json`. Throws MeshError `invalid` if it is something else. */
export function parseClustersPage(text: string): SeenClusters {
  const page = clustersPage();
  page.push(Buffer.from(text));
  return page.end();
}

/** The same as it arrives. It throws MeshError `invalid`, and `exhausted` for one that is too long. */
export function clustersPage(): PageReader<SeenClusters> {
  const clusters = new Map<string, readonly SeenHost[]>();
  let hosts: SeenHost[] = [];
  let count = 0;
  const list = new NestedList({
    ...{ list: 'cluster_statuses', inner: 'host_statuses', otherwise },
    onItem(item) {
      count += 1;
      if (count > hostLimits.hostsMax) throw new MeshError('exhausted', 'its answer is too long');
      hosts.push(checkedHost(item));
    },
    onObject(fields) {
      const name = fields.get('name');
      clusters.set(typeof name === 'string' ? name : '', hosts);
      hosts = [];
    },
  });
  return {
    push: (part) => list.push(part),
    end() {
      list.end();
      return clusters;
    },
  };
}

const otherwise = 'its answer is not what an Envoy says of its clusters';

/** A host of the page. Throws MeshError `invalid` for what no Envoy says. */
function checkedHost(item: unknown): SeenHost {
  let host: SeenHost;
  try {
    host = hostOf(item as HostStatus);
  } catch (cause) {
    throw new MeshError('invalid', otherwise, { cause });
  }
  const { address, hostname = '', idc, zone, ...numbers } = host;
  const areTexts = [address, hostname, idc, zone].every(
    (one) => typeof one === 'string' && one.length <= hostLimits.textMax,
  );
  const { priority, weight, requests, active } = numbers;
  if (!areTexts || ![priority, weight, requests, active].every(Number.isFinite))
    throw new MeshError('invalid', otherwise);
  return host;
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
