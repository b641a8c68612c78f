import type { Bootstrap, envoy } from '../../protos/gen/envoy.d.ts';
import { contentHash } from '../base/hash.ts';
import type { GroupPlan } from '../plan/types.ts';
import { packAny } from './message-parts.ts';
import { instancesCluster } from './names.ts';

/**
 * RTDS layers of an ingress. Several, so that a Group's change sends only a part of all limits. The number is
 * in bootstraps: it cannot change while Envoys run.
 */
const runtimeLayers = 16;

const names = Array.from({ length: runtimeLayers }, (_, i) => `isthmus-${i}`);

/**
 * The layers in a bootstrap (config.bootstrap.v3.LayeredRuntime). Envoy requests them before its clusters;
 * without an answer, as from an earlier control plane, it continues after 5 s. The admin layer stays last, as
 * by default.
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

/** An RTDS layer. */
export interface RuntimeLayer {
  readonly name: string;
  readonly message: ReturnType<typeof packAny<'envoy.service.runtime.v3.Runtime'>>;
}

/**
 * Limits on requests from other IDCs of each Group, as runtime layers of ingress gateways: effective at once,
 * while a changed cluster would be replaced, with new connections (Envoy, "Circuit breakers: runtime").
 */
export class SpillLimits {
  readonly #limits: Map<string, Readonly<Record<string, number>>>[] = names.map(() => new Map());
  readonly #layers: RuntimeLayer[] = names.map((name) => build(name, []));

  /** All layers. */
  layers(): readonly RuntimeLayer[] {
    return this.#layers;
  }

  /** Applies plans by host (an empty list: the Group was removed); returns the changed layers. */
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
  return { name, message: packAny('envoy.service.runtime.v3.Runtime', { name, layer }) };
}
