import type { GroupPlan } from '../types.ts';

/**
 * With 200, traffic spills to the next priority when fewer than half of the instances are healthy. Envoy's
 * default of 140 sends 30 % away when one of two fails.
 */
export const overprovisioningFactor = 200;

/**
 * The factor of a Group that keeps only a share of its requests: with all instances healthy the rest goes to
 * the next priority. Envoy has no 0: a Group that keeps nothing has degraded endpoints only, with 200.
 */
export function factorOf({ localShare = 0 }: Pick<GroupPlan, 'localShare'>): number {
  return localShare === 0 ? overprovisioningFactor : localShare;
}

/** Hosts of one priority, by health. */
export interface PriorityHealth {
  /** Hosts that count: not those that say themselves that they cannot serve. */
  readonly hosts: number;
  readonly healthy: number;
  readonly degraded: number;
  /** The overprovisioning factor, percent. */
  readonly factor: number;
}

/**
 * The percentages of requests that priorities get, as Envoy divides them (`LoadBalancerBase::
 * recalculatePerPriorityState`, panic threshold 0): healthy hosts of all priorities in order, then degraded
 * ones. All 0: none has a host that can serve.
 */
export function divideByPriority(priorities: readonly PriorityHealth[]): readonly number[] {
  const part = (count: number, { hosts, factor }: PriorityHealth) =>
    hosts === 0 ? 0 : Math.min(100, Math.floor((factor * count) / hosts));
  const healthy = priorities.map((one) => part(one.healthy, one));
  const degraded = priorities.map((one) => part(one.degraded, one));
  const available = Math.min(
    100,
    [...healthy, ...degraded].reduce((sum, one) => sum + one, 0),
  );
  if (available === 0) return priorities.map(() => 0);
  let left = 100;
  const take = (percent: number) => {
    const taken = Math.min(left, Math.floor((percent * 100) / available));
    left -= taken;
    return taken;
  };
  const first = healthy.map(take);
  const second = degraded.map(take);
  const loads = first.map((one, i) => one + (second[i] ?? 0));
  // What rounding leaves goes to the first priority that has any.
  const most = loads.findIndex((load) => load > 0);
  return loads.map((load, i) => (i === most ? load + left : load));
}
