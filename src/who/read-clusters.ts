import type { ListenAddress } from '../model/values/listen-address.ts';
import { clustersPage } from './clusters-page.ts';
import { type ProxyStats, statsFilter, statsFilterOf, statsPage } from './load/stats-page.ts';
import { readHttpPage } from './pages/http-page.ts';
import type { SeenClusters } from './types.ts';

/** Reads these clusters of an Envoy. Rejects with an Error that says why it cannot. */
export type ReadClusters = (at: ListenAddress, names: readonly string[]) => Promise<SeenClusters>;

/** The same by HTTP. */
export const readClusters: ReadClusters = (at, names) => {
  const filter = `^(${names.map(escaped).join('|')})$`;
  const path = `/clusters?format=json&filter=${encodeURIComponent(filter)}`;
  return readHttpPage(at, path, clustersPage());
};

/** Reads the statistics of an Envoy that say what it sends; of some Groups (`HOST:PORT`), or of all. */
export type ReadStats = (at: ListenAddress, groups?: readonly string[]) => Promise<ProxyStats>;

/** The same by HTTP. Rejects as `readClusters`. */
export const readProxyStats: ReadStats = (at, groups) => {
  const filter = groups === undefined ? statsFilter : statsFilterOf(groups);
  const query = new URLSearchParams({ format: 'json', histogram_buckets: 'cumulative', filter });
  // What was never sent anything is left out.
  return readHttpPage(at, `/stats?usedonly&${query}`, statsPage());
};

/** A name as a regular expression (RE2) of itself. */
function escaped(name: string): string {
  return name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
