import type { GroupPlan } from '../../plan/types.ts';
import { groupName } from '../../translate/names.ts';
import { awayTries, loadBetween } from '../load/proxy-load.ts';
import type { ProxyStats } from '../load/stats-page.ts';
import type { ReadStats } from '../read-clusters.ts';
import { readEach } from '../read-proxies.ts';
import type { AskedProxy } from '../types.ts';

/** What first proxies have sent to egress gateways, which do not tell some Groups apart. */
interface GoneCounts {
  /** Reads them again: the interval ends. */
  end(): Promise<(plan: GroupPlan) => number>;
}

/**
 * Begins to count what these proxies send to egress gateways of the Groups whose requests the gateways count
 * with those of others (`Crossing.away`); without such Groups nothing is read.
 */
export async function countGone(
  readStats: ReadStats,
  plans: readonly GroupPlan[],
  proxies: readonly AskedProxy[],
): Promise<GoneCounts> {
  const names = [...new Set(plans.flatMap((one) => (one.crossing?.away ? [groupName(one.group)] : [])))];
  const callers =
    names.length === 0 ? [] : proxies.filter(({ role }) => role !== 'egress' && role !== 'grpc');
  const read = (): Promise<ReadonlyMap<AskedProxy, ProxyStats | string>> =>
    readEach(callers, (at) => readStats(at, names));
  const before = await read();
  return {
    async end() {
      const after = await read();
      const loads = callers.flatMap((proxy) => loadBetween(proxy, before.get(proxy), after.get(proxy)));
      return ({ group }) => loads.reduce((sum, load) => sum + awayTries(load, groupName(group)), 0);
    },
  };
}
