import { MeshError } from '../../base/error.ts';
import type { RunningProcess } from '../process/process.ts';
import { machineClock } from '../time.ts';
import { instancesOf, type Part } from '../world/parts.ts';
import type { World } from '../world/world.ts';
import { killHard, type Moment, pause, resume } from './fault.ts';
import type { FaultKind } from './loss.ts';
import type { DropNetwork } from './netns.ts';

/** A way to disable parts of the world, and to restore them. */
export interface PlannedFault {
  readonly kind: FaultKind;
  /** What falls silent by it, until healing. */
  readonly parts: readonly Part[];
  inject(): Promise<Moment>;
  /** Undoes it; resolves when all signals are sent and all processes spawned. */
  heal(): Promise<Moment>;
}

/** What each way does, in words, to what is named after it. */
export const faultWords: Readonly<Record<FaultKind, (what: string) => string>> = {
  kill: (what) => `kill -9 of ${what}`,
  stop: (what) => `SIGSTOP of ${what}`,
  drop: (what) => `packets to ${what} dropped in silence`,
};

/**
 * Plans the loss of parts. `network` is needed by `drop`, which loses packets to instances; `others` are
 * processes that are no parts of the world, such as load clients, and die with them (`kill`). Throws
 * MeshError 'internal' without a network.
 */
export function planFault(
  kind: FaultKind,
  parts: readonly Part[],
  world: World,
  options: {
    readonly network?: DropNetwork | undefined;
    readonly others?: () => readonly RunningProcess[];
  } = {},
): PlannedFault {
  const all = () => parts.map((part) => world.running(part));
  switch (kind) {
    case 'kill':
      return {
        ...{ kind, parts },
        inject: () => killHard([...all(), ...(options.others?.() ?? [])]),
        heal: timed(() => world.start(parts)),
      };
    case 'stop':
      return { kind, parts, inject: async () => pause(all()), heal: async () => resume(all()) };
    case 'drop': {
      const { network } = options;
      if (!network) throw new MeshError('internal', '`drop` needs a network that can drop');
      const instances = instancesOf(parts);
      return {
        ...{ kind, parts },
        inject: timed(() => network.drop(instances)),
        heal: timed(() => network.heal(instances)),
      };
    }
  }
}

function timed(act: () => void): () => Promise<Moment> {
  return async () => {
    const from = machineClock.now();
    act();
    return { from, to: machineClock.now() };
  };
}
