import type { Buckets } from '../../base/buckets.ts';
import { MeshError } from '../../base/error.ts';
import type { PageReader } from '../pages/http-page.ts';
import { NestedList } from '../pages/nested-list.ts';

/** What one proxy has sent to the hosts of a cluster since it knows it. */
export interface ClusterStats {
  /** Tries at its hosts; of TCP connections. Always 0 of an aggregate. */
  readonly tries: number;
  /** Requests that were answered, by a host or by Envoy itself; what is tried again counts once. */
  readonly answers: number;
  /** Of the answers, those with a 5xx. */
  readonly failed: number;
  /** Answered without a try: no host can serve, or a circuit breaker is open. */
  readonly untried: number;
  /** Tries that got no connection. */
  readonly unsent: number;
  /** Tries after the first one of a request. */
  readonly retries: number;
  readonly active: number;
  readonly times: Buckets;
}

/** What the statistics of one proxy say. */
export interface ProxyStats {
  /** By kind of cluster and `HOST_PORT`, as Envoy writes it. */
  readonly clusters: ReadonlyMap<string, ClusterStats>;
  /** Of clusters of other IDCs that many Groups share, by name. */
  readonly shared: ReadonlyMap<string, ClusterStats>;
  /** Requests at the ingress for clients: in flight, and answered. */
  readonly edge: EdgeStats;
  /** Requests that no route took, answered with 404: nobody here declares their host, or its port. */
  readonly unknown: number;
  /** Requests from other IDCs that the trail filter has let in, by IDC; health checks have no trail. */
  readonly arrived: ReadonlyMap<string, number>;
}

/** Requests at the ingress for clients. */
interface EdgeStats {
  readonly active: number;
  readonly answers: number;
}

/** Clusters that lead to instances here, to them or away, and to other IDCs. */
type ClusterKind = 'instances' | 'failover' | 'idcs';

/** What is read of a cluster. */
const clusterStats =
  '(upstream_rq_(total|completed|5xx|retry|pending_overflow|pending_failure_eject|active|time)|upstream_cx_none_healthy)';

/** The statistics that are read, as a regular expression of their names. */
export const statsFilter = `^(${[
  `cluster\\.(instances|failover|idcs)/.*_[0-9]+\\.${clusterStats}`,
  `cluster\\.away/[^.]*\\.${clusterStats}`,
  'http\\.edge\\.downstream_rq_(active|completed)',
  'http\\.(outbound\\.rq_direct_response|edge\\.no_route)',
  'wasmcustom\\.isthmus_trail\\.ingress-peer\\.peer\\..+\\.hops',
].join('|')})$`;

/** The same of what a proxy sends to some Groups (`HOST:PORT`), wherever they are. */
export function statsFilterOf(groups: readonly string[]): string {
  const names = groups.map((name) =>
    name.replace(/:(\d+)$/, '_$1').replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'),
  );
  return `^cluster\\.(instances|failover)/(${names.join('|')})\\.${clusterStats}$`;
}

interface Histogram {
  readonly name: string;
  readonly buckets: readonly { readonly upper_bound: number; readonly cumulative: number }[];
}

/** Of a cluster that was sent nothing. */
export const noClusterStats: ClusterStats = {
  ...{ tries: 0, answers: 0, failed: 0, untried: 0, unsent: 0, retries: 0, active: 0 },
  times: new Map(),
};

/** Counters and gauges by the field that they add to. */
const fieldNames: Readonly<Record<string, Exclude<keyof ClusterStats, 'times'>>> = {
  upstream_rq_total: 'tries',
  upstream_rq_completed: 'answers',
  upstream_rq_5xx: 'failed',
  upstream_cx_none_healthy: 'untried',
  upstream_rq_pending_overflow: 'untried',
  upstream_rq_pending_failure_eject: 'unsent',
  upstream_rq_retry: 'retries',
  upstream_rq_active: 'active',
};

/** Of a sidecar, whose routes end in one that answers 404, and of an ingress for clients, which has none. */
const unknownNames: readonly string[] = ['http.outbound.rq_direct_response', 'http.edge.no_route'];

/** Parses Envoy's `/stats?format=json&histogram_buckets=cumulative`. Throws MeshError `invalid`. */
export function parseStatsPage(text: string): ProxyStats {
  const page = statsPage();
  page.push(Buffer.from(text));
  return page.end();
}

/** The same as it arrives. It throws MeshError `invalid`, and `exhausted` for one that is too long. */
export function statsPage(): PageReader<ProxyStats> {
  const [clusters, shared] = [new Map<string, ClusterStats>(), new Map<string, ClusterStats>()];
  const put = (name: string, change: (known: ClusterStats, stat: string) => Partial<ClusterStats>) => {
    const [, cluster = '', stat = ''] =
      /^cluster\.((?:instances|failover|idcs)\/.+_\d+|away\/[^.]+)\.(\w+)$/.exec(name) ?? [];
    if (cluster === '') return;
    const all = cluster.startsWith('away/') ? shared : clusters;
    const known = all.get(cluster) ?? noClusterStats;
    all.set(cluster, { ...known, ...change(known, stat) });
  };
  let edge: EdgeStats = { active: 0, answers: 0 };
  let unknown = 0;
  const arrived = new Map<string, number>();
  const list = new NestedList({
    ...{ list: 'stats', inner: 'histograms', otherwise },
    onItem(item) {
      const { name, times } = histogramOf(item);
      put(name, () => ({ times }));
    },
    onObject(fields) {
      const [name, value] = [fields.get('name') ?? '', fields.get('value') ?? 0];
      if (typeof name !== 'string' || typeof value !== 'number') throw new MeshError('invalid', otherwise);
      put(name, (known, stat) => {
        const field = fieldNames[stat];
        return field === undefined ? {} : { [field]: known[field] + value };
      });
      if (name === 'http.edge.downstream_rq_active') edge = { ...edge, active: value };
      if (name === 'http.edge.downstream_rq_completed') edge = { ...edge, answers: value };
      if (unknownNames.includes(name)) unknown += value;
      const [, peer] = /^wasmcustom\.isthmus_trail\.ingress-peer\.peer\.(.+)\.hops$/.exec(name) ?? [];
      if (peer !== undefined) arrived.set(peer, value);
    },
  });
  return {
    push: (part) => list.push(part),
    end() {
      if (!list.end()) throw new MeshError('invalid', otherwise);
      return { clusters, shared, edge, unknown, arrived };
    },
  };
}

const otherwise = 'its answer is not what an Envoy says of its statistics';

/** A histogram of the page. Throws MeshError `invalid` for what no Envoy says. */
function histogramOf(item: unknown): { readonly name: string; readonly times: Buckets } {
  const { name, buckets } = (item ?? {}) as Histogram;
  if (typeof name !== 'string' || !Array.isArray(buckets)) throw new MeshError('invalid', otherwise);
  const times = new Map<number, number>();
  for (const bucket of buckets) {
    const { upper_bound: ms, cumulative } = (bucket ?? {}) as Histogram['buckets'][number];
    if (typeof ms !== 'number' || typeof cumulative !== 'number') throw new MeshError('invalid', otherwise);
    times.set(ms, cumulative);
  }
  return { name, times };
}

/** The host and port of a cluster, `KIND/HOST_PORT`; undefined: it is none of a host. */
export function hostOfCluster(
  cluster: string,
): { readonly kind: ClusterKind; readonly host: string; readonly port: number } | undefined {
  const [, kind, host, port] = /^(instances|failover|idcs)\/(.+)_(\d+)$/.exec(cluster) ?? [];
  if (kind === undefined || host === undefined) return undefined;
  return { kind: kind as ClusterKind, host, port: Number(port) };
}
