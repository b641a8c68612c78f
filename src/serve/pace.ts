import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';

/** How much processor time a connection's requests may take. */
export interface PaceLimits {
  /** So many milliseconds at any time. */
  readonly burstMs: number;
  /** This share of one processor beyond that. */
  readonly share: number;
  /** A connection that asks for more than its share, without a pause, for so long is refused. */
  readonly overMsMax: number;
}

/** A first request of 100,000 names takes some 200 ms; an ACK, microseconds. */
export const paceLimits: PaceLimits = { burstMs: 2_000, share: 0.25, overMsMax: 60_000 };

/** One connection's requests, as fast as they may be read. */
export interface Pace {
  /** Does work that the connection asked for, and counts its time. */
  run(work: () => void): void;
  /**
   * For how many milliseconds nothing more of the connection is to be read; 0: read on. Throws MeshError 'exhausted' when it has
   * asked for more than its share for too long.
   */
  waitMs(): number;
}

/**
 * Lets no connection take the processor from the others. Requests that are dear are not refused but read later: the client
 * waits, as HTTP/2 lets it send no more than is read. A token bucket of processor time.
 */
export class Paces {
  private readonly clock: Clock;
  private readonly limits: PaceLimits;
  private readonly paces = new WeakMap<object, Pace>();
  /** How often a connection was made to wait. */
  waits = 0;

  constructor(clock: Clock, limits: PaceLimits = paceLimits) {
    this.clock = clock;
    this.limits = limits;
  }

  /** The pace of a connection, one for all its streams. */
  of(connection: object): Pace {
    const known = this.paces.get(connection);
    if (known !== undefined) return known;
    const made = this.make();
    this.paces.set(connection, made);
    return made;
  }

  private make(): Pace {
    const { clock } = this;
    const { burstMs, share, overMsMax } = this.limits;
    let used = 0;
    let at = clock.now();
    let overSince: number | undefined;
    return {
      run: (work) => {
        const begin = clock.now();
        used = Math.max(0, used - share * (begin - at));
        // No more than half of it is left: what came since was within the share.
        if (used < burstMs / 2) overSince = undefined;
        try {
          work();
        } finally {
          at = clock.now();
          used += at - begin;
        }
      },
      waitMs: () => {
        const now = clock.now();
        const over = used - share * (now - at) - burstMs;
        if (over <= 0) return 0;
        overSince ??= now;
        if (now - overSince >= overMsMax) {
          const percent = Math.round(100 * share);
          throw new MeshError(
            'exhausted',
            `the requests of this connection took more than ${percent} % of a processor for ${overMsMax / 1000} s: send fewer, or smaller ones`,
          );
        }
        this.waits += 1;
        return Math.ceil(over / share);
      },
    };
  }
}
