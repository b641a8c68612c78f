import type { Bootstrap, envoy } from '../../protos/gen/envoy.d.ts';
import { contentHash } from '../base/hash.ts';
import type { GroupPlan } from '../plan/types.ts';
import { any } from './any.ts';
import { instancesCluster } from './names.ts';

/**
 * Layers of an ingress's runtime that come by RTDS. More than one, so that what changes for one Group sends a
 * part of the limits of all. Their number stands in bootstraps: it cannot change while Envoys run.
 */
const runtimeLayers = 16;

const names = Array.from({ length: runtimeLayers }, (_, i) => `isthmus-${i}`);

/**
 * The layers in a bootstrap (config.bootstrap.v3.LayeredRuntime). Envoy asks for them before its clusters;
 * without an answer, as from a control plane of an earlier version, it goes on after 5 s. The admin
 * interface's layer stays last, as it is by default.
 */
export function runtimeInBootstrap(): Pick<Bootstrap, 'layered_runtime'> {
  const layer = (name: string): envoy.config.bootstrap.v3.RuntimeLayer => ({
    name,
    rtds_layer: {
      name,
      rtds_config: { resource_api_version: 'V3', ads: {}, initial_fetch_timeout: '5s' },
    },
  });
  return { layered_runtime: { layers: [...names.map(layer), { name: 'admin', admin_layer: {} }] } };
}

/** A layer as it is served. */
export interface RuntimeLayer {
  readonly name: string;
  readonly message: ReturnType<typeof any<'envoy.service.runtime.v3.Runtime'>>;
}

/**
 * What ingress gateways take of each Group from other IDCs, as layers of their runtime: a change is live at
 * once, where a changed cluster would be a new one, with new connections (Envoy, "Circuit breakers:
 * runtime").
 */
export class SpillLimits {
  readonly #limits: Map<string, Readonly<Record<string, number>>>[] = names.map(() => new Map());
  readonly #layers: RuntimeLayer[] = names.map((name) => build(name, []));

  /** All layers. */
  layers(): readonly RuntimeLayer[] {
    return this.#layers;
  }

  /** Takes in Groups by host (no plans: the Group is gone); the layers that change. */
  update(groups: ReadonlyMap<string, readonly GroupPlan[]>): readonly RuntimeLayer[] {
    const dirty = new Set<number>();
    for (const [host, plans] of groups) {
      const at = Number.parseInt(contentHash(host).slice(0, 4), 16) % runtimeLayers;
      const limits = this.#limits[at];
      if (limits === undefined) continue;
      const now = limitsOf(plans);
      if (JSON.stringify(limits.get(host) ?? {}) === JSON.stringify(now)) continue;
      if (Object.keys(now).length === 0) limits.delete(host);
      else limits.set(host, now);
      dirty.add(at);
    }
    return [...dirty].map((at) => {
      const layer = build(names[at] ?? '', this.#limits[at]?.values() ?? []);
      this.#layers[at] = layer;
      return layer;
    });
  }
}

function limitsOf(plans: readonly GroupPlan[]): Readonly<Record<string, number>> {
  const limits: Record<string, number> = {};
  for (const { group, seenBy, spill, connection } of plans) {
    if (spill === undefined || seenBy?.gateways === false) continue;
    const key = `circuit_breakers.${instancesCluster(group)}.default.max_requests`;
    limits[key] = Math.min(spill.limit, connection.maxRequests);
  }
  return limits;
}

function build(name: string, limits: Iterable<Readonly<Record<string, number>>>): RuntimeLayer {
  const layer: Record<string, number> = {};
  for (const some of limits) Object.assign(layer, some);
  return { name, message: any('envoy.service.runtime.v3.Runtime', { name, layer }) };
}
