import type { ProxyPlan, WorldPlan } from '../world/topology.ts';
import { planTopology } from '../world/topology.ts';

/** A world as the report draws it. */
export interface DrawnWorld {
  /** Whether Groups may be served by other IDCs. */
  readonly crossing: boolean;
  readonly idcs: readonly {
    readonly name: string;
    /** Callers, Groups, gateways and the control plane, in the order in which they are drawn. */
    readonly rows: readonly DrawnRow[];
  }[];
}

/** Parts of one kind in one IDC. */
interface DrawnRow {
  readonly kind: 'caller' | 'group' | 'egress' | 'ingress' | 'control';
  readonly label: string;
  /** Names of its parts, as steps name what they strike: `sh-a/checkout-1`. */
  readonly parts: readonly string[];
}

/** What there is in a planned world. */
export function drawnWorld(plan: WorldPlan): DrawnWorld {
  const topology = planTopology({ id: 'report', slot: 0, world: plan });
  return {
    crossing: plan.crossing !== false,
    idcs: topology.idcs.map((idc) => {
      const named = (proxies: readonly Pick<ProxyPlan, 'name'>[]) =>
        proxies.map(({ name }) => `${idc.name}/${name}`);
      const groups = topology.groups.map(
        (group): DrawnRow => ({
          kind: 'group',
          label: group.name,
          parts: named(idc.instances.filter((instance) => instance.group === group)),
        }),
      );
      return {
        name: idc.name,
        rows: [
          { kind: 'caller' as const, label: 'caller', parts: named([idc.caller]) },
          ...groups.filter(({ parts }) => parts.length > 0),
          { kind: 'egress' as const, label: 'egress', parts: named(idc.egress) },
          { kind: 'ingress' as const, label: 'ingress', parts: named(idc.ingress) },
          { kind: 'control' as const, label: 'control plane', parts: [`${idc.name}/control`] },
        ],
      };
    }),
  };
}
