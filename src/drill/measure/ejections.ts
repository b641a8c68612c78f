import { readStats } from '../world/envoy.ts';
import { proxiesOf, type Topology } from '../world/topology.ts';

/** Ejections by one proxy from one cluster. */
export interface Ejections {
  readonly proxy: string;
  readonly cluster: string;
  readonly count: number;
}

/** Ejections of all proxies so far, by `PROXY CLUSTER`. Rejects when a proxy does not tell. */
export async function readEjections(topology: Topology): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  const read = proxiesOf(topology).map(async ({ idc, name, admin }) => {
    const stats = await readStats(admin, '^cluster\\..*\\.outlier_detection\\.ejections_enforced_total$');
    for (const [stat, count] of stats) {
      const cluster = stat.slice('cluster.'.length, stat.indexOf('.outlier_detection.'));
      counts.set(`${idc}/${name} ${cluster}`, count);
    }
  });
  await Promise.all(read);
  return counts;
}

/** What was ejected between two readings. */
export function ejectedBetween(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): Ejections[] {
  return [...after].flatMap(([key, count]) => {
    const [proxy = '', cluster = ''] = key.split(' ');
    const more = count - (before.get(key) ?? 0);
    return more === 0 ? [] : [{ proxy, cluster, count: more }];
  });
}
