import { readStats } from '../world/envoy.ts';
import type { Topology } from '../world/topology.ts';

/** What the trail filters of each gateway counted, by gateway (`sh-a/ingress-1`) and counter. */
export type TrailCounters = ReadonlyMap<string, ReadonlyMap<string, number>>;

const prefix = 'wasmcustom.isthmus_trail.';

/**
 * Reads the trail filters' counters of all gateways, such as `ingress-peer.peer.sh-a.hops` (docs/trail.md),
 * and how often a filter's VM was started anew (`vm_reload`). Rejects when a gateway does not answer.
 */
export async function readTrailCounters(topology: Topology): Promise<TrailCounters> {
  const gateways = topology.idcs.flatMap((idc) => [...idc.ingress, ...idc.egress]);
  const read = gateways.map(async (gateway) => {
    const stats = await readStats(
      gateway.admin,
      '^wasmcustom\\.isthmus_trail\\.|vm_reload_(success|failure)$',
    );
    const counters = new Map<string, number>();
    for (const [name, count] of stats) {
      const key = name.startsWith(prefix) ? name.slice(prefix.length) : 'vm_reload';
      counters.set(key, count + (key === 'vm_reload' ? (counters.get(key) ?? 0) : 0));
    }
    return [`${gateway.idc}/${gateway.name}`, counters] as const;
  });
  return new Map(await Promise.all(read));
}

/** What was counted between two readings, zeroes left out. */
export function countedBetween(before: TrailCounters, after: TrailCounters): TrailCounters {
  return new Map(
    [...after].map(([gateway, counters]) => {
      const grown = [...counters].map(
        ([name, count]) => [name, count - (before.get(gateway)?.get(name) ?? 0)] as const,
      );
      return [gateway, new Map(grown.filter(([, count]) => count !== 0))] as const;
    }),
  );
}

/** The sum over all gateways of the counters whose names end so, such as `loop_rejected`. */
export function sumOfCounter(counters: TrailCounters, ending: string): number {
  return [...counters.values()]
    .flatMap((each) => [...each])
    .reduce((sum, [name, count]) => (name.endsWith(ending) ? sum + count : sum), 0);
}
