import { type Clock, sleep } from '../../base/clock.ts';

/**
 * Removed keys remembered; who asks from before gets everything. Peers ask each second: it is as much as fits
 * in one answer.
 */
export const removedKeysMax = 1_000;

/** Which keys changed after which revision, to send only the changes. */
interface Journal {
  /** Counts the changes. */
  readonly revision: number;
  /** A key's value changed, or was removed. `standing`: number of keys with a value. */
  touch(key: string, standing: number): void;
  /** Number of remembered keys. */
  readonly size: number;
  /** The keys that changed after a revision; undefined: no longer known. */
  changedSince(revision: number): readonly string[] | undefined;
  /**
   * Resolves when there is a newer revision or `wake` is called, at the latest after `holdMs`, or when
   * `signal` aborts.
   */
  waitForChange(revision: number, holdMs: number, signal: AbortSignal): Promise<void>;
  /** Something beside the keys has changed: ends all waits. */
  wake(): void;
}

/** Creates an empty journal. */
export function createJournal(clock: Clock): Journal {
  // Oldest change first.
  const changedAt = new Map<string, number>();
  const waiting = new Set<() => void>();
  let revision = 0;
  let floor = 0;
  const wakeAll = () => {
    for (const wake of waiting) wake();
  };
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
        if (changedAt.size <= standing + removedKeysMax) break;
        changedAt.delete(oldest);
        floor = at;
      }
      wakeAll();
    },
    wake: wakeAll,
    changedSince(from) {
      if (!(from >= floor)) return undefined;
      return [...changedAt].filter(([, at]) => at > from).map(([key]) => key);
    },
    async waitForChange(from, holdMs, signal) {
      if (revision > from) return;
      const woken = new AbortController();
      const wake = () => woken.abort();
      waiting.add(wake);
      await sleep(clock, holdMs, AbortSignal.any([woken.signal, signal])).catch(() => {});
      waiting.delete(wake);
    },
  };
}
