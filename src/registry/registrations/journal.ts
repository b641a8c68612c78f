import { type Clock, sleep } from '../../base/clock.ts';

/**
 * Keys that are not there any more are remembered up to this many; who asks from before that gets everything.
 * Peers ask each second: it is as much as goes in one.
 */
export const spareMax = 1_000;

/** Which keys changed after which revision, so that somebody who has the rest can be told of these alone. */
export interface Journal {
  /** Counts the changes. */
  readonly revision: number;
  /** The value of a key is another one, or gone. `standing`: how many keys have a value. */
  touch(key: string, standing: number): void;
  /** How many keys it remembers. */
  readonly size: number;
  /** The keys that changed after a revision; undefined: that is not known any more. */
  since(revision: number): readonly string[] | undefined;
  /** Resolves when there is more than a revision, at the latest after `holdMs`, or when `signal` aborts. */
  more(revision: number, holdMs: number, signal: AbortSignal): Promise<void>;
}

/** Creates an empty journal. */
export function createJournal(clock: Clock): Journal {
  // Oldest change first.
  const changedAt = new Map<string, number>();
  const waiting = new Set<() => void>();
  let revision = 0;
  let floor = 0;
  return {
    get revision() {
      return revision;
    },
    get size() {
      return changedAt.size;
    },
    touch(key, standing) {
      revision += 1;
      changedAt.delete(key);
      changedAt.set(key, revision);
      for (const [oldest, at] of changedAt) {
        if (changedAt.size <= standing + spareMax) break;
        changedAt.delete(oldest);
        floor = at;
      }
      for (const wake of waiting) wake();
    },
    since(from) {
      if (!(from >= floor)) return undefined;
      return [...changedAt].filter(([, at]) => at > from).map(([key]) => key);
    },
    async more(from, holdMs, signal) {
      if (revision > from) return;
      const woken = new AbortController();
      const wake = () => woken.abort();
      waiting.add(wake);
      await sleep(clock, holdMs, AbortSignal.any([woken.signal, signal])).catch(() => {});
      waiting.delete(wake);
    },
  };
}
