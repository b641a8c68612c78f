import { decideTrail, type GuardedListener, refusalStatus } from '../model/trail.ts';
import { planTrailPolicies } from '../plan/trail.ts';
import type { GroupPlan, Path } from '../plan/types.ts';
import type { WayFacts } from './types.ts';

/** What the trail filter of a listener makes of a request. */
export type TrailState =
  | {
      readonly isRefused: false;
      /** The IDCs that it has been in, this one last. */
      readonly trail: readonly string[];
      /** The same as a set, as routes and endpoints know it. */
      readonly visited: string;
    }
  | { readonly isRefused: true; readonly outcome: string; readonly status: number };

/** Applies the filter that is pushed to a listener. */
export function passTrail(
  { idcs, hopLimit, loopPrevention }: WayFacts,
  idc: string,
  listener: GuardedListener,
  trail: readonly string[],
): TrailState {
  const policies = planTrailPolicies(idc, idcs, hopLimit, loopPrevention);
  const policy = policies.find((one) => one.listener === listener);
  if (policy === undefined) throw new Error(`no policy for ${listener}`);
  const verdict = decideTrail(policy, trail.length === 0 ? [] : [trail.join(',')]);
  return verdict.action === 'refuse'
    ? { isRefused: true, outcome: verdict.outcome, status: refusalStatus(listener, verdict.outcome) }
    : { isRefused: false, trail: verdict.trail.split(','), visited: verdict.visited };
}

/** The path of a request at the peer listener, by the IDCs that it has been in (`buildPeerRoutes`). */
export function peerPath({ handOn, paths, crossing }: GroupPlan, visited: string): Path {
  const namesMax = crossing?.handOnNamesMax ?? 0;
  if (handOn === undefined) return paths.peer;
  if (namesMax === Number.POSITIVE_INFINITY) return handOn.later;
  const names = namesOf(visited);
  if (names === 2) return handOn.first;
  return names > 2 && names <= namesMax ? handOn.later : paths.peer;
}

/** How many IDCs a set has; 0: one of them is not known here. */
function namesOf(visited: string): number {
  return /^[a-z0-9-]+(,[a-z0-9-]+)*$/.test(visited) ? visited.split(',').length : 0;
}

/** Why a request that has been in these IDCs may not cross to another one; undefined: it may. */
export function forbidsCrossing(
  { crossing }: GroupPlan,
  { trail, visited }: { readonly trail: readonly string[]; readonly visited: string },
): (idc: string) => string | undefined {
  const permits = crossing?.permits ?? [];
  if (permits === 'all') return () => undefined;
  const permitted = permits.find((one) => one.visited === visited)?.to ?? [];
  return (idc) => {
    if (permitted.includes(idc)) return undefined;
    if (trail.includes(idc)) return `forbidden: the request has been there (trail ${trail.join(',')})`;
    if (namesOf(visited) === 0) return 'forbidden: its trail names an IDC that is not declared here';
    const crossings = trail.length - 1;
    return `forbidden: the hop limit is reached, with ${crossings} crossing${crossings === 1 ? '' : 's'} made`;
  };
}
