import { type Clock, sleep } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { type EvacuationPlane, renewAt } from './evacuation-planes.ts';

/** Keeps an evacuation in force at control planes, for as long as somebody is there to keep it. */
export interface EvacuationLease {
  /** From now on it is renewed at a control plane, where it has just been put. */
  hold(plane: EvacuationPlane): void;
  /**
   * Aborted, with a MeshError as its reason, when it is over at one of them, or may be before it can be
   * renewed.
   */
  readonly lost: AbortSignal;
  /** Renews nothing any more; resolves when nothing is on its way. */
  stop(): Promise<void>;
}

/**
 * Renewed after a third of its time, and after a tenth where that failed; given up after two thirds without.
 */
const parts = { renew: 1 / 3, again: 1 / 10, lost: 2 / 3 } as const;

/** Creates the lease of an evacuation that lasts `leaseMs` milliseconds from each renewal on. */
export function createLease(
  name: string,
  leaseMs: number,
  clock: Clock,
  say: (words: string) => void,
): EvacuationLease {
  const stop = new AbortController();
  const lost = new AbortController();
  const keeping: Promise<void>[] = [];

  async function keep(plane: EvacuationPlane): Promise<void> {
    let renewedAt = clock.now();
    let pauseMs = leaseMs * parts.renew;
    while (!stop.signal.aborted) {
      await sleep(clock, pauseMs, stop.signal);
      const askedAt = clock.now();
      try {
        await renewAt(plane, name, leaseMs, leaseMs * parts.renew);
        if (pauseMs !== leaseMs * parts.renew) say(`renewed at ${plane.name} again`);
        renewedAt = askedAt;
        pauseMs = leaseMs * parts.renew;
      } catch (reason) {
        if (stop.signal.aborted) return;
        const { code, message } = MeshError.from(reason);
        if (code !== 'unavailable') {
          lost.abort(new MeshError('conflict', `${plane.name} (${plane.idc}): ${message}`));
          return;
        }
        if (pauseMs === leaseMs * parts.renew) say(`not renewed at ${plane.name}: ${message}; trying again`);
        pauseMs = leaseMs * parts.again;
        if (clock.now() - renewedAt < leaseMs * parts.lost) continue;
        const words = `it could not be renewed at ${plane.name} (${plane.idc}) for ${Math.round((clock.now() - renewedAt) / 1_000)} s`;
        lost.abort(new MeshError('unavailable', words));
      }
    }
  }

  return {
    hold: (plane) => void keeping.push(keep(plane).catch(() => {})),
    lost: lost.signal,
    async stop() {
      stop.abort();
      await Promise.all(keeping);
    },
  };
}
