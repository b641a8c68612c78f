import type { Clock } from '../../base/clock.ts';
import type { RemoteNews } from '../remote-lease.ts';

/** A Remote, and since when nothing was heard of it. */
interface AgedNews {
  readonly news: RemoteNews;
  /** Monotonic, in milliseconds. */
  readonly sinceMs: number;
}

/**
 * How old the news of Remotes are. An age is counted here, from when news were seen to change: clocks of
 * other machines only say how old the first ones are.
 */
export class RemoteAges {
  readonly #clock: Clock;
  readonly #staleMs: number;
  readonly #byCluster = new Map<string, AgedNews>();

  constructor(clock: Clock, staleMs: number) {
    this.#clock = clock;
    this.#staleMs = staleMs;
  }

  /** News have come, changed, or gone. */
  change(before: RemoteNews | undefined, now: RemoteNews | undefined): void {
    const known = before && this.#byCluster.get(before.cluster);
    if (now === undefined) {
      if (before !== undefined) this.#byCluster.delete(before.cluster);
      return;
    }
    const isSame = known !== undefined && known.news.heard === now.heard;
    this.#byCluster.set(now.cluster, {
      news: now,
      sinceMs: isSame ? known.sinceMs : this.#since(known, now),
    });
  }

  /** What is known of a Remote. */
  of(cluster: string): RemoteNews | undefined {
    return this.#byCluster.get(cluster)?.news;
  }

  *all(): Iterable<RemoteNews> {
    for (const { news } of this.#byCluster.values()) yield news;
  }

  /** Remotes that should be heard of, and were not for a time. */
  *stale(): Iterable<RemoteNews> {
    for (const { news, sinceMs } of this.#byCluster.values())
      if (news.by !== 'nobody' && this.#clock.now() - sinceMs >= this.#staleMs) yield news;
  }

  #since(known: AgedNews | undefined, { heard }: RemoteNews): number {
    const ageMs = known === undefined && heard !== '' ? this.#clock.wall() - Date.parse(heard) : 0;
    return this.#clock.now() - Math.max(0, ageMs || 0);
  }
}
