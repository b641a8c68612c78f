import type { Clock } from '../../base/clock.ts';
import type { EventSink } from '../../events/event.ts';
import { allReached, type ProbeTarget, type Reach } from '../../model/reach.ts';
import { ReachWatch } from './reach-watch.ts';

/** Targets in groups by distance and number: distant or numerous ones must not delay the others. */
export interface ProbeTargets {
  /** Gateways of the local IDC. */
  readonly near: readonly ProbeTarget[];
  /** Gateways of other IDCs. */
  readonly far: readonly ProbeTarget[];
  /** Instances and gateways that limits on requests from other IDCs depend on. */
  readonly limits: readonly ProbeTarget[];
}

/** What the watches need from other parts. */
interface ReachOptions {
  readonly clock: Clock;
  readonly events: EventSink;
  targets(): ProbeTargets;
  /** What a gateway is called, by its `addressName`; undefined: it is none. */
  gatewayAt(name: string): string | undefined;
  /** The results of all watches together, after a change. */
  onReach(reach: Reach): void;
}

/** Connect timeout to another IDC, milliseconds: gateways that take longer need no detection. */
const farConnectMs = 1_050;

/** Probes gateways and instances, and reports which are alive. */
export function watchReach({ clock, events, targets, gatewayAt, onReach }: ReachOptions): { close(): void } {
  const found = new Map<keyof ProbeTargets, Reach>();
  const watches = (['near', 'far', 'limits'] as const).map(
    (part) =>
      new ReachWatch({
        clock,
        events,
        gatewayAt,
        ...(part === 'far' ? { connectMs: farConnectMs } : {}),
        targets: () => targets()[part],
        onChange(reach) {
          found.set(part, reach);
          onReach([...found.values()].reduce(joined, allReached));
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
