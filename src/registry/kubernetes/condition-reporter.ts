import type { Clock } from '../../base/clock.ts';
import type { MeshError } from '../../base/error.ts';
import type { Random } from '../../base/random.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { KubeLease, type LeaseTiming, leaseTiming } from '../../kube/lease.ts';
import { listWatchTiming } from '../../kube/watch/list-watch.ts';
import type { ProxyProgress } from '../source.ts';
import type { JointRelease } from './joint/joint-release.ts';
import type { KindFollower } from './kind-follower.ts';
import { ObjectConditions } from './object-conditions.ts';
import { type ProgrammedTiming, ProgrammedTracker, programmedTiming } from './programmed-tracker.ts';
import { type StatusTiming, StatusWriter, statusTiming } from './status-writer.ts';

/** Times of writing conditions, in milliseconds. */
export type ConditionTiming = StatusTiming & LeaseTiming & ProgrammedTiming;

interface ReporterOptions {
  readonly idc: string;
  readonly identity: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly timing: Partial<ConditionTiming> | undefined;
  readonly followers: () => readonly KindFollower[];
  /** Asks the others whether their proxies have something. */
  readonly joint: () => JointRelease | undefined;
  /** `troubles` have changed. */
  onState(): void;
}

/** Keeps the conditions of our objects true, where this process is the one that writes for its IDC. */
export class ConditionReporter {
  /** Takes what is known of the objects. */
  readonly sink: ObjectConditions;
  readonly #options: ReporterOptions;
  #lease: KubeLease | undefined;
  #writer: StatusWriter | undefined;
  #tracker: ProgrammedTracker | undefined;

  constructor(options: ReporterOptions) {
    this.#options = options;
    const { clock, followers } = options;
    this.sink = new ObjectConditions({
      ...{ clock, followers, onChange: () => this.wake() },
      programmed: (read, isAccepted) => this.#tracker?.condition(read, isAccepted) ?? read.programmed,
    });
  }

  /** Follows what proxies have, from now on: `progress` is that of a sink. */
  track(progress: () => (() => ProxyProgress) | undefined, signal: AbortSignal): void {
    const { identity, clock, joint, timing } = this.#options;
    this.#tracker = new ProgrammedTracker(
      {
        ...{ identity, clock, progress, conditions: this.sink, timing: { ...programmedTiming, ...timing } },
        confirm: (key, count, then) => joint()?.confirm(key, async (others) => then(others), count),
        others: (key) => joint()?.others(key) ?? [],
        onChange: () => this.#writer?.wake(),
      },
      signal,
    );
  }

  /** Generations of objects that not all proxies have, as far as is known. */
  awaited(): Iterable<readonly [string, ProxyProgress]> {
    return this.#tracker?.awaited() ?? [];
  }

  /** Asks for the Lease, and writes while it has it, until the signal is aborted. */
  start(client: KubeClient, namespace: string, signal: AbortSignal): void {
    const { idc, identity, clock, random, onState } = this.#options;
    const timing = { ...statusTiming, ...leaseTiming, ...this.#options.timing };
    const lease = new KubeLease({
      ...{ client, namespace, identity, clock, random, timing, name: `isthmus-status-${idc}` },
      onState: () => {
        this.#writer?.wake();
        onState();
      },
    });
    this.#lease = lease;
    this.#writer = new StatusWriter(
      {
        ...{ client, conditions: this.sink, clock, random, timing, backOff: listWatchTiming.backOff },
        ...{ mayWrite: () => lease.isHeld, onState },
      },
      signal,
    );
    void lease.run(signal);
  }

  /** Statuses were changed, by whomever. */
  wake(): void {
    this.#writer?.wake();
    this.#tracker?.wake();
  }

  /** Whether this process is the one that writes for its IDC. */
  get isElected(): boolean {
    return this.#lease?.isHeld ?? false;
  }

  /** Why it cannot become that one; undefined: nothing keeps it from that. */
  get electionTrouble(): MeshError | undefined {
    return this.#lease?.trouble;
  }

  /** Why conditions are not written, if people have to mend it. */
  get troubles(): readonly MeshError[] {
    const { trouble } = this.#lease ?? {};
    return [trouble, this.#writer?.trouble].filter((one) => one !== undefined);
  }
}
