import type { Clock } from '../../base/clock.ts';
import type { Deletion, Release } from './guard.ts';

/** How long a caller waits. */
interface Patience {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Aborted when the caller is gone. */
  readonly signal?: AbortSignal;
}

/** Waits until a deletion is over. Resolves to how it ended, or to undefined if the time is up first. */
export function waitForRelease(deletion: Deletion, patience: Patience): Promise<Release | undefined> {
  const { clock, timeoutMs, signal } = patience;
  return new Promise((resolve) => {
    const done = (release: Release | undefined) => {
      timer.cancel();
      unwatch();
      signal?.removeEventListener('abort', giveUp);
      resolve(release);
    };
    const giveUp = () => done(undefined);
    let unwatch = () => {};
    const timer = clock.after(timeoutMs, giveUp);
    signal?.addEventListener('abort', giveUp, { once: true });
    unwatch = deletion.whenReleased(done);
    if (signal?.aborted) giveUp();
  });
}
