import type { GroupPlan, PlannedLocality } from './types.ts';

/** A proxy's place within its IDC. */
interface ZonedProxy {
  readonly idc: string;
  readonly zone?: string;
}

/** The zone that a proxy prefers for a Group, as `IDC/zone`; undefined: none. */
export function preferredZone(plans: readonly GroupPlan[], { idc, zone }: ZonedProxy): string | undefined {
  return zone !== undefined && plans.some((plan) => plan.zonePreference) ? `${idc}/${zone}` : undefined;
}

/**
 * A Group for proxies that prefer `zone` (`IDC/zone`): within a priority that zone's instances come first.
 * Exits from the IDC come after all instances. While a part of the requests leaves the IDC zones are not
 * preferred: each priority would keep its share of what the one before lets go, and too few would leave.
 */
export function planForZone(plan: GroupPlan, zone: string | undefined): GroupPlan {
  if (!plan.zonePreference || zone === undefined || (plan.localShare ?? 0) > 0) return plan;
  const { instances, drained } = plan;
  // Priorities begin at 0 and leave none out (Envoy).
  const all = [...instances, ...(drained ?? [])];
  const ranks = [...new Set(all.map((locality) => rankOf(locality, zone)))].sort((a, b) => a - b);
  const inZone = (locality: PlannedLocality): PlannedLocality => {
    const { priority: _, ...rest } = locality;
    const priority = ranks.indexOf(rankOf(locality, zone));
    return priority === 0 ? rest : { ...rest, priority };
  };
  return { ...plan, instances: instances.map(inZone), ...(drained && { drained: drained.map(inZone) }) };
}

function rankOf({ name, priority = 0 }: PlannedLocality, zone: string): number {
  return 2 * priority + (name === zone || name.startsWith(`${zone}/`) ? 0 : 1);
}
