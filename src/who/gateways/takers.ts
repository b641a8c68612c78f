import type { GroupPlan } from '../../plan/types.ts';
import { awayCluster } from '../../translate/names.ts';
import { seesPlan } from '../declared.ts';
import { totalHosts } from '../hosts.ts';
import { chooseProxies, readAll } from '../read-proxies.ts';
import type { ProxyReading } from '../types.ts';
import type { WhoOptions } from '../who-options.ts';
import { type ExitsOptions, findLostExits } from './exits.ts';

/** Most Groups asked for at once, and egress gateways that are read for them. */
const takerLimits = { groupsMax: 50, egressMax: 2 } as const;

/** Which IDC takes the requests that leave, and which ones cannot. */
interface Taker {
  /** The first in order that can; absent: none. */
  readonly to?: string;
  readonly unable?: string[];
}

/**
 * Finds which IDC takes the requests of Groups that leave this one, by one reading of egress gateways. What
 * is not known counts as able; Groups beyond the limit are left out.
 */
export async function findTakers(
  options: ExitsOptions & Pick<WhoOptions, 'read'>,
  plans: readonly GroupPlan[],
): Promise<ReadonlyMap<GroupPlan, Taker>> {
  const some = plans.slice(0, takerLimits.groupsMax);
  const gateways = [...options.proxies()].filter(({ role }) => role === 'egress');
  const chosen = chooseProxies(gateways, () => takerLimits.egressMax);
  const names = [...new Set(some.map(awayCluster))];
  const answers = await readAll(chosen, names, options.read);
  const readings = [...answers].flatMap(([proxy, seen]): ProxyReading[] =>
    typeof seen === 'string' ? [] : [{ proxy, before: seen, after: seen }],
  );
  const isCutOff = readings.length === 0 && (await findLostExits(options, [])).isCutOff;
  return new Map(some.map((plan) => [plan, takerOf(plan, readings, isCutOff)]));
}

function takerOf(plan: GroupPlan, readings: readonly ProxyReading[], isCutOff: boolean): Taker {
  const far = totalHosts(
    readings.filter(({ proxy }) => seesPlan(proxy, plan)),
    awayCluster(plan),
  );
  const isAble = (idc: string): boolean => {
    if (isCutOff) return false;
    const gateways = far.reports(0, undefined, idc);
    // Of an IDC that has just appeared nothing is known yet.
    const isOpen = gateways.some(
      ({ usableAt, why }) => usableAt > 0 || why.some(({ reason }) => reason === 'not-checked'),
    );
    return isOpen || far.readings === 0;
  };
  const idcs = (plan.crossing?.idcs ?? []).map(({ idc }) => idc);
  const unable = idcs.filter((idc) => !isAble(idc));
  const to = idcs.find((idc) => !unable.includes(idc));
  return { ...(to === undefined ? {} : { to }), ...(unable.length === 0 ? {} : { unable }) };
}
