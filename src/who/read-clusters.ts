import { get } from 'node:http';
import { systemClock } from '../base/clock.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import { parseClustersPage } from './clusters-page.ts';
import { type ProxyStats, parseStatsPage, statsFilter } from './load/stats-page.ts';
import type { SeenClusters } from './types.ts';

/** Time of a whole answer in milliseconds, and its largest size in bytes: an older Envoy does not filter. */
const readLimits = { answerMsMax: 2_000, answerBytesMax: 32 * 2 ** 20 } as const;

/** Reads these clusters of an Envoy. Rejects with an Error that says why it cannot. */
export type ReadClusters = (at: ListenAddress, names: readonly string[]) => Promise<SeenClusters>;

/** The same by HTTP. */
export const readClusters: ReadClusters = async ({ address: host, port }, names) => {
  const filter = `^(${names.map(escaped).join('|')})$`;
  const path = `/clusters?format=json&filter=${encodeURIComponent(filter)}`;
  return parseClustersPage(await textAt(host, port, path));
};

/** Reads the statistics of an Envoy that say what it sends. Rejects as `readClusters`. */
export async function readProxyStats({ address: host, port }: ListenAddress): Promise<ProxyStats> {
  const query = new URLSearchParams({ format: 'json', histogram_buckets: 'cumulative', filter: statsFilter });
  // What was never sent anything is left out.
  return parseStatsPage(await textAt(host, port, `/stats?usedonly&${query}`));
}

/** A name as a regular expression (RE2) of itself. */
function escaped(name: string): string {
  return name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function textAt(host: string, port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = get({ host, port, path, agent: false }, (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on('data', (part: Buffer) => {
        bytes += part.length;
        parts.push(part);
        if (bytes > readLimits.answerBytesMax) sent.destroy(new Error('its answer is too long'));
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(parts).toString());
        else reject(new Error(`it answers ${response.statusCode}`));
      });
    });
    const late = () => sent.destroy(new Error(`no whole answer in ${readLimits.answerMsMax / 1_000} s`));
    const timer = systemClock.after(readLimits.answerMsMax, late);
    sent.on('error', reject).on('close', () => timer.cancel());
  });
}
