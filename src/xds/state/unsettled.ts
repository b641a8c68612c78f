import { LRUCache } from 'lru-cache';
import type { Clock } from '../../base/clock.ts';
import type { StreamInfo } from '../events.ts';

// Several times the proxies of one control plane; an entry takes some 200 bytes.
export const unsettledMax = 50_000;
// Envoy reopens its stream within half a minute; a proxy that was away for longer has most likely restarted.
export const unsettledMs = 3_600_000;

/**
 * Nodes whose stream ended with a response of clusters (or listeners) unacknowledged. They may still wait for
 * the resources that it refers to, although they report to have them. By node id and the type referred to;
 * the oldest are forgotten above the limit.
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

  /** Number of entries. */
  get size(): number {
    this.#nodes.purgeStale();
    return this.#nodes.size;
  }

  /** A stream has ended. A `Fetch…` leaves no entry: nothing waits for what its response refers to. */
  add({ node, once }: Pick<StreamInfo, 'node' | 'once'>, typeUrl: string): void {
    if (!once) this.#nodes.set(key(node.id ?? '', typeUrl), true);
  }

  /** Removes an entry; returns whether there was one. */
  take(node: string, typeUrl: string): boolean {
    const known = this.#nodes.get(key(node, typeUrl)) === true;
    this.#nodes.delete(key(node, typeUrl));
    return known;
  }
}

function key(node: string, typeUrl: string): string {
  return `${typeUrl} ${node}`;
}
