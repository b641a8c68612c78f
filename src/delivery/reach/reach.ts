import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { allReached, type Reach, type Watched } from '../../model/reach.ts';
import { ReachWatch } from './reach-watch.ts';

/**
 * What is looked at, apart by how far it is and how much of it there is: what is far or plenty makes nothing
 * else late.
 */
export interface AllWatched {
  /** Gateways of the own IDC. */
  readonly near: readonly Watched[];
  /** Gateways of other IDCs. */
  readonly far: readonly Watched[];
  /** What the limits on requests from other IDCs rest on. */
  readonly limits: readonly Watched[];
}

/** What the reach needs. */
interface ReachOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  watched(): AllWatched;
  /** What all looks together have found, after that changed. */
  reached(reach: Reach): void;
}

/**
 * How long a connection to another IDC may take, milliseconds: there is no need to know of one that takes
 * longer.
 */
const farConnectMs = 1_050;

/** Looks at gateways and instances, and tells which of them live. */
export function watchReach({ clock, logger, watched, reached }: ReachOptions): { close(): void } {
  const found = new Map<keyof AllWatched, Reach>();
  const watches = (['near', 'far', 'limits'] as const).map(
    (part) =>
      new ReachWatch({
        clock,
        logger,
        ...(part === 'far' ? { connectMs: farConnectMs } : {}),
        warnsOfRefused: part === 'limits',
        watched: () => watched()[part],
        onChange(reach) {
          found.set(part, reach);
          reached([...found.values()].reduce(joined, allReached));
        },
      }),
  );
  return {
    close() {
      for (const watch of watches) watch.close();
    },
  };
}

function joined(a: Reach, b: Reach): Reach {
  return {
    unreached: new Set([...a.unreached, ...b.unreached]),
    silent: new Set([...a.silent, ...b.silent]),
  };
}
