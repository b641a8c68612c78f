import type { MeshView, ViewDelta } from '../index/view.ts';
import { checkIntervalMsMin } from './checks.ts';
import { type PlanContext, planGroup } from './group.ts';
import type { GroupPlan } from './types.ts';

/** Plans by host; an empty list: the Group is gone, or nobody can reach it. */
export type PlannedGroups = ReadonlyMap<string, readonly GroupPlan[]>;

/** What a planner is told once. */
export type PlannerOptions = Pick<PlanContext, 'own' | 'hopLimit' | 'loopPrevention'>;

/** Plans what changed, and what depends on it. */
export interface Planner {
  /** The plans of all Groups that this change of the view concerns. */
  update(view: MeshView, delta: ViewDelta): PlannedGroups;
}

/** Creates a planner that has planned nothing yet. */
export function createPlanner(options: PlannerOptions): Planner {
  /** Hosts that the egress gateways check in other IDCs: how often they may depends on how many there are. */
  const checked = new Set<string>();
  let intervalMsMin = 0;

  function plan(view: MeshView, hosts: Iterable<string>): Map<string, readonly GroupPlan[]> {
    const context = { ...options, idcs: view.idcs, checkIntervalMsMin: intervalMsMin };
    const plans = new Map<string, readonly GroupPlan[]>();
    for (const host of hosts) {
      const group = view.groups.get(host);
      const planned =
        group === undefined ? [] : [group, ...(group.others ?? [])].flatMap((one) => planGroup(one, context));
      plans.set(host, planned);
      if (planned.some(({ crossing }) => crossing?.check !== undefined)) checked.add(host);
      else checked.delete(host);
    }
    return plans;
  }

  return {
    update(view, delta) {
      // Where an IDC's gateways are is part of every Group that may cross to it.
      const all = () => new Set([...view.groups.keys(), ...delta.groups]);
      const plans = plan(view, delta.idcs.size > 0 ? all() : delta.groups);
      const needed = checkIntervalMsMin(checked.size);
      if (needed === intervalMsMin) return plans;
      intervalMsMin = needed;
      return plan(view, all());
    },
  };
}
