import { MeshError } from '../../../base/error.ts';
import { killHard, type Moment, pause, resume } from '../../fault.ts';
import type { DropNetwork } from '../../netns.ts';
import { instancesOf, type Part } from '../../parts.ts';
import type { Running } from '../../process.ts';
import { machineClock } from '../../time.ts';
import type { World } from '../../world.ts';

/** The IDC whose outage is drilled, and the one that stands in for it. */
export const [lostIdc, otherIdc] = ['sh-a', 'sh-b'] as const;

/** The ways in which an IDC is lost. */
export const outageKinds = ['kill', 'stop', 'drop', 'partial', 'gateway', 'site'] as const;
export type OutageKind = (typeof outageKinds)[number];

/** One blow of an outage. */
export interface FaultStep {
  /** What is done, as the report says it. */
  readonly claim: string;
  /** When, as a share (0 to 1) of the outage. */
  readonly at: number;
  /** What falls silent by it, until healing. */
  readonly parts: readonly Part[];
  strike(): Promise<Moment>;
}

/** An outage, planned for a world. */
export interface Outage {
  readonly kind: OutageKind;
  readonly steps: readonly FaultStep[];
  /** Undoes it; resolves when all signals are sent and all processes spawned. */
  heal(): Promise<Moment>;
  /** The parts that must be ready again before the IDC counts as healed. */
  readonly healed: readonly Part[];
}

/** What each kind of outage does, in words. */
export const outageWords: Readonly<Record<OutageKind, string>> = {
  kill: 'kill -9 of all instances of sh-a with their sidecars',
  stop: 'SIGSTOP of all instances of sh-a with their sidecars',
  drop: 'packets to all instances of sh-a dropped in silence',
  partial: 'kill -9 of all instances of sh-a, and one checkout instance of sh-b hung (SIGSTOP)',
  gateway:
    'kill -9 of all instances of sh-a, then of one egress gateway of sh-a and one ingress gateway of sh-b',
  site: 'kill -9 of everything in sh-a: control plane, gateways, instances, callers',
};

/** Reads an outage's name. Throws MeshError 'invalid' that lists the names. */
export function parseOutage(text: string): OutageKind {
  const kind = outageKinds.find((name) => name === text);
  if (kind === undefined) {
    throw new MeshError('invalid', `There is no outage '${text}': use one of ${outageKinds.join(', ')}.`);
  }
  return kind;
}

/**
 * Plans an outage of `sh-a`. `network` is needed by `drop`; `clients` are the load clients that stand inside sh-a
 * and fall with it in `site`.
 */
export function planOutage(
  kind: OutageKind,
  world: World,
  options: { readonly network?: DropNetwork; readonly clients?: () => readonly Running[] } = {},
): Outage {
  const workloads = world.parts.filter(
    (part) => part.idc === lostIdc && (part.kind === 'app' || part.kind === 'sidecar'),
  );
  const all = (parts: readonly Part[]) => parts.map((part) => world.running(part));
  const killing = (parts: readonly Part[], claim: string, at = 0): FaultStep => ({
    claim,
    at,
    parts,
    strike: () => killHard(all(parts)),
  });
  const restart = (parts: readonly Part[]) => async (): Promise<Moment> => {
    const from = machineClock.now();
    world.start(parts);
    return { from, to: machineClock.now() };
  };
  const words = outageWords[kind];

  switch (kind) {
    case 'kill':
      return { kind, steps: [killing(workloads, words)], heal: restart(workloads), healed: workloads };
    case 'stop': {
      const strike = async () => pause(all(workloads));
      return {
        kind,
        steps: [{ claim: words, at: 0, parts: workloads, strike }],
        heal: async () => resume(all(workloads)),
        healed: workloads,
      };
    }
    case 'drop': {
      const { network } = options;
      if (!network) throw new MeshError('internal', 'the outage `drop` needs a network that can drop');
      const instances = instancesOf(workloads);
      const timed = (act: () => void) => async (): Promise<Moment> => {
        const from = machineClock.now();
        act();
        return { from, to: machineClock.now() };
      };
      const strike = timed(() => network.drop(instances));
      return {
        kind,
        steps: [{ claim: words, at: 0, parts: workloads, strike }],
        heal: timed(() => network.heal(instances)),
        healed: workloads,
      };
    }
    case 'partial': {
      const hung = world.parts.filter(
        (part) => part.idc === otherIdc && part.kind !== 'caller' && part.proxy?.name === 'checkout-1',
      );
      const strike = async () => {
        pause(all(hung));
        return killHard(all(workloads));
      };
      const heal = async () => {
        const { from } = resume(all(hung));
        return { from, to: (await restart(workloads)()).to };
      };
      const parts = [...workloads, ...hung];
      return { kind, steps: [{ claim: words, at: 0, parts, strike }], heal, healed: parts };
    }
    case 'gateway': {
      const gateways = [gateway(world, 'egress', lostIdc), gateway(world, 'ingress', otherIdc)];
      const parts = [...workloads, ...gateways];
      // A third into the outage: the gateways are carrying the whole load then, and lose what is in flight.
      const second = 'kill -9 of one egress gateway of sh-a and one ingress gateway of sh-b';
      return {
        kind,
        steps: [
          killing(workloads, 'kill -9 of all instances of sh-a with their sidecars'),
          killing(gateways, second, 1 / 3),
        ],
        heal: restart(parts),
        healed: parts,
      };
    }
    case 'site': {
      const parts = world.parts.filter((part) => part.idc === lostIdc);
      const strike = () => killHard([...all(parts), ...(options.clients?.() ?? [])]);
      return { kind, steps: [{ claim: words, at: 0, parts, strike }], heal: restart(parts), healed: parts };
    }
  }
}

function gateway(world: World, kind: 'ingress' | 'egress', idc: string): Part {
  const found = world.parts.find((part) => part.kind === kind && part.idc === idc);
  if (!found) throw new MeshError('internal', `the world has no ${kind} gateway in ${idc}`);
  return found;
}
