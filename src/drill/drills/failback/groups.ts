import type { CallShape } from '../../call.ts';
import { callerLoad, type LoadShape, type Rates } from '../../loads.ts';
import type { GroupPlan, Topology, WorldPlan } from '../../topology.ts';
import { hostOf, idcOf } from '../../topology.ts';

/** The IDC that is lost and comes back, and its stand-in. */
export const [lostIdc, otherIdc] = ['sh-a', 'sh-b'] as const;

/** Two Groups that are alike, but that the first comes home in steps; without protection neither does. */
export const [inSteps, atOnce] = ['checkout', 'catalog'] as const;

/** The world of both, with `more` of each Group. */
export function failbackWorld(more: Partial<GroupPlan>, failback: object | undefined): WorldPlan {
  const group = (name: string): GroupPlan => ({ name, instances: 2, ...more });
  return {
    idcs: [lostIdc, otherIdc],
    groups: [{ ...group(inSteps), ...(failback && { drGroup: { failback } }) }, group(atOnce)],
  };
}

/** A caller in the IDC that is lost, half of its requests for either Group. */
export function failbackLoads(topology: Topology, { caller = 0 }: Rates, workMs: number): LoadShape[] {
  const hosts = topology.groups.map((group) => hostOf(topology, group));
  const mix: CallShape[] = [{ name: 'GET', kind: 'http', weight: 1, workMs: [workMs, workMs] }];
  return [{ ...callerLoad(idcOf(topology, lostIdc), hosts, caller), mix }];
}
