import type { Buckets } from '../../base/buckets.ts';
import { MeshError } from '../../base/error.ts';

/** What one proxy has sent to the hosts of a cluster since it knows it. */
export interface ClusterStats {
  readonly requests: number;
  /** Answered with a 5xx. */
  readonly failed: number;
  readonly active: number;
  readonly times: Buckets;
}

/** Statistics by kind of cluster and `HOST_PORT`, as Envoy writes it. */
export type ProxyStats = ReadonlyMap<string, ClusterStats>;

/** Clusters that lead to instances here, to them or away, and to other IDCs. */
type ClusterKind = 'instances' | 'failover' | 'idcs';

/** The statistics that are read, as a regular expression of their names. */
export const statsFilter =
  '^cluster\\.(instances|failover|idcs)/.*\\.(upstream_rq_total|upstream_rq_5xx|upstream_rq_active|upstream_rq_time)$';

interface Stat {
  readonly name?: string;
  readonly value?: number;
  readonly histograms?: readonly {
    readonly name: string;
    readonly buckets: readonly { readonly upper_bound: number; readonly cumulative: number }[];
  }[];
}

const none: ClusterStats = { requests: 0, failed: 0, active: 0, times: new Map() };
const fields: Readonly<Record<string, 'requests' | 'failed' | 'active'>> = {
  upstream_rq_total: 'requests',
  upstream_rq_5xx: 'failed',
  upstream_rq_active: 'active',
};

/** Parses Envoy's `/stats?format=json&histogram_buckets=cumulative`. Throws MeshError `invalid`. */
export function parseStatsPage(text: string): ProxyStats {
  const found = new Map<string, ClusterStats>();
  const put = (name: string, add: (stat: string) => Partial<ClusterStats>) => {
    const [, cluster = '', stat = ''] =
      /^cluster\.((?:instances|failover|idcs)\/.+)\.(\w+)$/.exec(name) ?? [];
    if (cluster !== '') found.set(cluster, { ...(found.get(cluster) ?? none), ...add(stat) });
  };
  for (const { name = '', value = 0, histograms = [] } of statsIn(text)) {
    put(name, (stat) => (fields[stat] === undefined ? {} : { [fields[stat]]: value }));
    for (const { name: timed, buckets } of histograms)
      put(timed, () => ({
        times: new Map(buckets.map(({ upper_bound: ms, cumulative }) => [ms, cumulative])),
      }));
  }
  return found;
}

function statsIn(text: string): readonly Stat[] {
  try {
    const { stats } = JSON.parse(text) as { stats?: readonly Stat[] };
    if (Array.isArray(stats)) return stats;
  } catch {
    // Reported below.
  }
  throw new MeshError('invalid', 'its answer is not what an Envoy says of its statistics');
}

/** The host and port of a cluster, `KIND/HOST_PORT`; undefined: it is none of a host. */
export function hostOfCluster(
  cluster: string,
): { readonly kind: ClusterKind; readonly host: string; readonly port: number } | undefined {
  const [, kind, host, port] = /^(instances|failover|idcs)\/(.+)_(\d+)$/.exec(cluster) ?? [];
  if (kind === undefined || host === undefined) return undefined;
  return { kind: kind as ClusterKind, host, port: Number(port) };
}
