import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Failback } from '../model/idc.ts';
import {
  atHome,
  endEvacuation,
  type FailbackState,
  type HealthObservation,
  localShareAt,
  mirrorPercentAt,
  resumeFailback,
  type SavedFailback,
  saveFailback,
  stepFailback,
} from '../plan/failback.ts';
import { groupKey } from '../plan/group.ts';
import type { PlannedGroups } from '../plan/planner.ts';
import type { GroupPlan, HealthCheck } from '../plan/types.ts';
import { type CheckTarget, slotsOf, updateInstances, type WatchedGroup } from './watched-group.ts';

/** Persistent states by `groupKey`. `slots`: capacity of its instances before they were evacuated. */
export type SavedStates = Readonly<Record<string, SavedFailback & { readonly slots?: number }>>;

/** A Group whose instances have less capacity than before they were evacuated, in concurrent requests. */
interface Shortfall {
  /** By `groupKey`. */
  readonly group: string;
  readonly before: number;
  readonly bears: number;
  /** Failback has begun; else the evacuation is in force. */
  readonly isComing: boolean;
}

interface FailbackOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Checks an instance once: whether it is healthy. Never rejects. */
  check(target: CheckTarget): Promise<boolean>;
  /** The states that an earlier control plane stored. */
  readonly saved?: SavedStates;
  /** Stores the states for the next one. */
  save?(states: SavedStates): void;
  /** A Group's state changed, or is known at the start. */
  onState?(group: string, at: FailbackState['at']): void;
}

/** Watches Groups that left the IDC, or were evacuated, and decides how many of their requests may return. */
export interface FailbackKeeper {
  /**
   * A Group's local percentage now; undefined: no limit. `evacuated`: the percentage that evacuations leave
   * in the IDC in the plan being made.
   */
  shareOf(group: string, evacuated?: number): number | undefined;
  /** The percentage of its reads that are mirrored; undefined: none. */
  mirrorOf(group: string): number | undefined;
  /** Instances of a host without two failed checks in a row, at its worst port; undefined: unknown. */
  goodOf(host: string): number | undefined;
  /**
   * Declared capacity of a host's instances before they were evacuated; undefined: not evacuated, or not
   * declared.
   */
  slotsBeforeOf(host: string): number | undefined;
  /** Groups with less capacity than before. */
  shortfalls(): readonly Shortfall[];
  /** Applies new plans. */
  applyPlans(plans: PlannedGroups): void;
  /** From now on all Groups are known, and `onShares` gets the hosts of Groups whose shares changed. */
  start(onShares: (hosts: readonly string[]) => void): void;
  /** Groups in failback, with their local percentages. */
  limitedShares(): ReadonlyMap<string, number>;
  close(): void;
}

/** Checks a second of one control plane; with more instances each is checked less often. */
const checksPerSecondMax = 200;
/** How often states are updated while one is changing. */
const tickMs = 250;
/** Two failed checks in a row, as proxies count. */
const failuresMax = 2;

/** Creates a keeper without Groups. */
export function createFailbackKeeper(options: FailbackOptions): FailbackKeeper {
  return new ProbingKeeper(options);
}

class ProbingKeeper implements FailbackKeeper {
  readonly #options: FailbackOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #saved: Readonly<Record<string, SavedFailback & { readonly slots?: number }>>;
  readonly #watched = new Map<string, WatchedGroup>();
  #isStarted = false;
  #tellShares: (hosts: readonly string[]) => void = () => {};
  #isClosed = false;
  #lastSaved: string;
  readonly #shortfallOf = (one: WatchedGroup): Shortfall[] => {
    const { key: group, slotsBefore: before, evacuated } = one;
    const bears = this.#bearsOf(one);
    if (before === undefined || bears === undefined || bears >= before) return [];
    return [{ group, before, bears, isComing: evacuated === 100 }];
  };

  constructor(options: FailbackOptions) {
    this.#options = options;
    const { clock, logger, saved = {} } = options;
    this.#clock = clock;
    this.#logger = logger;
    this.#saved = saved;
    this.#lastSaved = JSON.stringify(saved);
  }

  shareOf(group: string, evacuated?: number): number | undefined {
    const one = this.#watched.get(group);
    if (one === undefined) return this.#savedOf(group)?.share;
    const state = this.#stateAfter(one, evacuated ?? one.evacuated);
    return state === one.state ? one.share : localShareAt(state, this.#clock.now(), one.failback);
  }

  mirrorOf(group: string): number | undefined {
    return this.#watched.get(group)?.mirror;
  }

  goodOf(host: string): number | undefined {
    const ports = [...this.#watched.values()].filter((one) => one.plan.group.host === host && one.hasPassed);
    return ports.length === 0 ? undefined : Math.min(...ports.map((one) => this.#observationOf(one).good));
  }

  slotsBeforeOf(host: string): number | undefined {
    const ports = [...this.#watched.values()].filter((one) => one.plan.group.host === host);
    const known = ports.flatMap(({ slotsBefore }) => slotsBefore ?? []);
    return known.length === 0 ? undefined : Math.max(...known);
  }

  shortfalls(): Shortfall[] {
    return [...this.#watched.values()].flatMap(this.#shortfallOf);
  }

  applyPlans(plans: PlannedGroups): void {
    for (const [host, ports] of plans) {
      const keys = new Set<string>();
      for (const plan of ports) {
        if (plan.failback === undefined || plan.health === undefined) continue;
        keys.add(groupKey(plan));
        this.#watch(plan, plan.failback, plan.health);
      }
      for (const one of [...this.#watched.values()])
        if (one.plan.group.host === host && !keys.has(one.key)) this.#forget(one);
    }
  }

  start(onShares: (hosts: readonly string[]) => void): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#tellShares = onShares;
    for (const one of this.#watched.values()) {
      one.state = this.#stateAfter(one, one.evacuated);
      this.#startChecks(one);
      this.#options.onState?.(one.key, one.state.at);
    }
    this.#write();
  }

  limitedShares(): Map<string, number> {
    return new Map(
      [...this.#watched].flatMap(([key, { share }]) => (share === undefined ? [] : [[key, share]])),
    );
  }

  close(): void {
    this.#isClosed = true;
    for (const one of [...this.#watched.values()]) this.#forget(one);
  }

  /** Its state once evacuations leave this percentage in the IDC. */
  #stateAfter({ state, share = 100, evacuated }: WatchedGroup, next: number): FailbackState {
    // Before all objects are read, a missing evacuation has not ended.
    if (!this.#isStarted) return state;
    if (state.at === 'due' && next <= state.share) return { at: 'home', failures: state.failures };
    if (next <= evacuated) return state;
    return endEvacuation(state, Math.min(share, evacuated));
  }

  /** The state stored by an earlier control plane: used until this one has its own observations. */
  #savedOf(group: string): SavedStates[string] | undefined {
    return !this.#isStarted && Object.hasOwn(this.#saved, group) ? this.#saved[group] : undefined;
  }

  #watch(plan: GroupPlan, failback: Failback, health: HealthCheck): void {
    const key = groupKey(plan);
    const { evacuationShare: evacuated = 100 } = plan;
    const known = this.#watched.get(key);
    if (known !== undefined) {
      const wasEvacuated = known.evacuated;
      const state = this.#stateAfter(known, evacuated);
      // From the previous plan: instances that leave with the evacuation are missed too.
      if (evacuated < 100) known.slotsBefore ??= slotsOf(known.plan);
      // The share that it was just planned with.
      if (state !== known.state) known.share = localShareAt(state, this.#clock.now(), failback);
      Object.assign(known, { plan, failback, health, state, evacuated });
      updateInstances(known);
      if (this.#isStarted && evacuated !== wasEvacuated) this.#write();
      return;
    }
    const before = this.#savedOf(key);
    const state = before === undefined ? atHome : resumeFailback(before, this.#clock.now());
    const slotsBefore = before?.slots ?? (evacuated < 100 ? slotsOf(plan) : undefined);
    const group: WatchedGroup = {
      ...{ key, plan, failback, health, state, evacuated, slotsBefore, instances: new Map() },
      // The first plan has no mirroring.
      ...{
        share: localShareAt(state, this.#clock.now(), failback),
        mirror: undefined,
        hasPassed: false,
        round: undefined,
        tick: undefined,
      },
    };
    this.#watched.set(key, group);
    updateInstances(group);
    if (this.#isStarted) this.#startChecks(group);
  }

  #startChecks(group: WatchedGroup): void {
    void this.#checkInstances(group);
    this.#observe(group);
  }

  /** A round of checks, and schedules the next. */
  async #checkInstances(group: WatchedGroup): Promise<void> {
    group.round?.cancel();
    const all = [...this.#watched.values()].reduce((sum, { instances }) => sum + instances.size, 0);
    const everyMs = Math.max(group.health.intervalMs, (1_000 * all) / checksPerSecondMax);
    const next = this.#clock.now() + everyMs;
    await Promise.all(
      [...group.instances.values()].map(async ({ target, checks: seen }) => {
        const isWell = await this.#options.check(target);
        seen.failures = isWell ? 0 : (seen.failures ?? 0) + 1;
        group.hasPassed ||= isWell;
      }),
    );
    if (this.#isClosed || this.#watched.get(group.key) !== group) return;
    group.round = this.#clock.after(
      Math.max(1, next - this.#clock.now()),
      () => void this.#checkInstances(group),
    );
  }

  #observe(group: WatchedGroup): void {
    if (this.#isClosed || this.#watched.get(group.key) !== group) return;
    group.tick = this.#clock.after(tickMs, () => this.#observe(group));
    if (group.state.at === 'home' && group.evacuated === 100) group.slotsBefore = undefined;
    const observed = this.#observationOf(group);
    // Without any check there is no observation.
    if (observed.registered > 0 && observed.checked === 0) return;
    // Instances never reached from here may be behind a firewall.
    const isUnseen = observed.registered > 0 && !group.hasPassed;
    const before = group.state;
    if (isUnseen && before.at === 'home') return;
    group.state =
      isUnseen && before.at === 'due'
        ? { at: 'home', failures: before.failures }
        : stepFailback(before, observed, group.failback);
    if (group.state.at !== before.at) {
      this.#options.onState?.(group.key, group.state.at);
      this.#logTransition(group, before);
    }
    this.#publishShare(group, observed.now);
  }

  #observationOf({
    instances,
  }: Pick<WatchedGroup, 'instances'>): HealthObservation & { readonly checked: number } {
    const known = [...instances.values()].flatMap(({ checks: seen }) => seen.failures ?? []);
    return {
      ...{ now: this.#clock.now(), registered: instances.size, checked: known.length },
      passing: known.filter((failures) => failures === 0).length,
      good: known.filter((failures) => failures < failuresMax).length,
    };
  }

  /** Pushes its share if it changed. */
  #publishShare(group: WatchedGroup, now: number): void {
    const share = localShareAt(group.state, now, group.failback);
    const mirror = mirrorPercentAt(group.state, now, group.failback);
    if (share === group.share && mirror === group.mirror) return;
    Object.assign(group, { share, mirror });
    this.#write();
    this.#tellShares([group.plan.group.host]);
  }

  #logTransition(group: WatchedGroup, before: FailbackState): void {
    // Failovers are events (`failover-watch.ts`).
    if (before.at !== 'due') return;
    const { key, state, instances } = group;
    const words = {
      home: 'all of its requests are local again',
      due: 'its evacuation is over',
      away: 'its evacuation is over, but fewer than half of its instances are good: held until they are',
      warm: 'enough instances are good: reads are mirrored to them',
      ramp: 'enough instances are good: its requests return gradually',
    } as const;
    const { failures } = state;
    this.#logger.info(`failback: ${words[state.at]}`, { group: key, instances: instances.size, failures });
    for (const { before: bore, bears } of this.#shortfallOf(group))
      this.#logger.warn('failback: the instances have less capacity than before the evacuation', {
        ...{ group: key, bears, before: bore },
      });
  }

  #write(): void {
    const now = this.#clock.now();
    const states: Record<string, SavedFailback> = {};
    for (const { key, state, failback, evacuated, slotsBefore: slots } of this.#watched.values()) {
      const one = saveFailback(state, now, failback, evacuated);
      if (one !== undefined) states[key] = { ...one, ...(slots === undefined ? {} : { slots }) };
    }
    // States of Groups that were not planned yet.
    if (!this.#isStarted)
      for (const key of Object.keys(this.#saved)) states[key] ??= this.#saved[key] as SavedFailback;
    const text = JSON.stringify(states);
    if (text === this.#lastSaved) return;
    this.#lastSaved = text;
    this.#options.save?.(states);
  }

  /** Current capacity of its instances; unknown if never reached from here. */
  #bearsOf({ plan, hasPassed, instances }: WatchedGroup): number | undefined {
    const concurrent = plan.spill?.concurrent;
    if (concurrent === undefined) return undefined;
    return (hasPassed ? this.#observationOf({ instances }).good : instances.size) * concurrent;
  }

  #forget(one: WatchedGroup): void {
    one.round?.cancel();
    one.tick?.cancel();
    this.#watched.delete(one.key);
  }
}
