import { sameContent } from '../../index/same-content.ts';
import type { GroupPlan } from '../../plan/types.ts';

/** Whether routes built from both would be equal. */
export function haveSameRoutes(a: readonly GroupPlan[], b: readonly GroupPlan[]): boolean {
  return a.length === b.length && a.every((plan, i) => sameContent(decidedOf(plan), decidedOf(b[i])));
}

/** Excludes instances, shares and the order of IDCs: these change often, and routes do not depend on them. */
function decidedOf(plan: GroupPlan | undefined): object | undefined {
  if (plan === undefined) return undefined;
  const {
    instances: _,
    drained: _drained,
    localShare: _home,
    evacuationShare: _left,
    spill: _spill,
    crossing,
    paths,
    ...rest
  } = plan;
  return {
    ...rest,
    crossing: crossing && { ...crossing, idcs: crossing.idcs.length },
    paths: Object.values(paths).map(({ priorities, ...path }) => ({
      ...path,
      kinds: priorities.map(({ kind }) => kind),
    })),
  };
}
