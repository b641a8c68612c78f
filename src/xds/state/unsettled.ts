import { LRUCache } from 'lru-cache';
import type { Clock } from '../../base/clock.ts';

// Several times the proxies of one control plane. An entry takes some 200 bytes.
export const unsettledMax = 50_000;
// Envoy opens its stream again within half a minute; a proxy that was away for longer than this has most
// likely started anew.
export const unsettledMs = 3_600_000;

/**
 * Nodes whose stream ended before they had acknowledged a cluster (or a listener): they may still wait for
 * what it refers to, and say that they have it. By node id and the type referred to. Where there are too
 * many, those that have been away longest are forgotten.
 */
export class Unsettled {
  readonly #nodes: LRUCache<string, true>;

  constructor(clock: Clock) {
    this.#nodes = new LRUCache({
      max: unsettledMax,
      ttl: unsettledMs,
      ttlResolution: 0,
      perf: { now: () => clock.now() },
    });
  }

  /** How many are remembered. */
  get size(): number {
    this.#nodes.purgeStale();
    return this.#nodes.size;
  }

  add(node: string, typeUrl: string): void {
    this.#nodes.set(key(node, typeUrl), true);
  }

  /** Whether it was remembered; it is not any more. */
  take(node: string, typeUrl: string): boolean {
    const known = this.#nodes.get(key(node, typeUrl)) === true;
    this.#nodes.delete(key(node, typeUrl));
    return known;
  }
}

function key(node: string, typeUrl: string): string {
  return `${typeUrl} ${node}`;
}
