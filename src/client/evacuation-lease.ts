import { type Clock, sleep } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { type EvacuationPlane, renewAt } from './evacuation-planes.ts';

/** Renews an evacuation at control planes. */
export interface EvacuationLease {
  /** Starts renewing at a control plane that has just accepted it. */
  hold(plane: EvacuationPlane): void;
  /** Aborted with a MeshError when it has ended at one of them, or may end before the next renewal. */
  readonly lost: AbortSignal;
  /** Stops renewing; resolves when no request is pending. */
  stop(): Promise<void>;
}

/** Parts of its time: until renewal, until a retry, and without success until it is given up. */
const leaseParts = { renew: 1 / 3, again: 1 / 10, lost: 2 / 3 } as const;

/** Creates the lease of an evacuation that lasts `leaseMs` milliseconds from each renewal. */
export function createEvacuationLease(
  name: string,
  leaseMs: number,
  clock: Clock,
  say: (words: string) => void,
): EvacuationLease {
  const stop = new AbortController();
  const lost = new AbortController();
  const keeping: Promise<void>[] = [];

  async function renewAtPlane(plane: EvacuationPlane): Promise<void> {
    let renewedAt = clock.now();
    let pauseMs = leaseMs * leaseParts.renew;
    while (!stop.signal.aborted) {
      await sleep(clock, pauseMs, stop.signal);
      const askedAt = clock.now();
      try {
        await renewAt(plane, name, leaseMs, leaseMs * leaseParts.renew);
        if (pauseMs !== leaseMs * leaseParts.renew) say(`renewed at ${plane.name} again`);
        renewedAt = askedAt;
        pauseMs = leaseMs * leaseParts.renew;
      } catch (reason) {
        if (stop.signal.aborted) return;
        const { code, message } = MeshError.from(reason);
        if (code !== 'unavailable') {
          lost.abort(new MeshError('conflict', `${plane.name} (${plane.idc}): ${message}`));
          return;
        }
        if (pauseMs === leaseMs * leaseParts.renew)
          say(`not renewed at ${plane.name}: ${message}; trying again`);
        pauseMs = leaseMs * leaseParts.again;
        if (clock.now() - renewedAt < leaseMs * leaseParts.lost) continue;
        const words = `it could not be renewed at ${plane.name} (${plane.idc}) for ${Math.round((clock.now() - renewedAt) / 1_000)} s`;
        lost.abort(new MeshError('unavailable', words));
      }
    }
  }

  return {
    hold: (plane) => void keeping.push(renewAtPlane(plane).catch(() => {})),
    lost: lost.signal,
    async stop() {
      stop.abort();
      await Promise.all(keeping);
    },
  };
}
