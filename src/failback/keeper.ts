import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Failback } from '../model/idc.ts';
import {
  atHome,
  endEvacuation,
  type FailbackState,
  mirrorOf,
  resumeFailback,
  type SavedFailback,
  type Sighting,
  saveFailback,
  shareOf,
  stepFailback,
} from '../plan/failback.ts';
import { groupKey } from '../plan/group.ts';
import type { PlannedGroups } from '../plan/planner.ts';
import type { GroupPlan, HealthCheck } from '../plan/types.ts';

/** An instance of a Group, and how it is asked. */
export interface Target {
  /** The Group's host. */
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly question: HealthCheck['question'];
  readonly isTls: boolean;
  /** It must answer within so many milliseconds. */
  readonly timeoutMs: number;
}

/**
 * What is written down, by `groupKey`. `slots`: what its instances worked on at once before they were
 * evacuated.
 */
export type SavedStates = Readonly<Record<string, SavedFailback & { readonly slots?: number }>>;

/**
 * A Group whose instances bear less than they did before they were evacuated. In requests that they work on
 * at once.
 */
export interface Shortfall {
  /** By `groupKey`. */
  readonly group: string;
  readonly before: number;
  readonly bears: number;
  /** It comes home; else the evacuation is in force. */
  readonly isComing: boolean;
}

export interface FailbackOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Asks an instance once: whether it is well. Never rejects. */
  check(target: Target): Promise<boolean>;
  /** What a control plane before this one wrote down. */
  readonly saved?: SavedStates;
  /** Writes down what the next one is to go on with. */
  save?(states: SavedStates): void;
}

/**
 * Watches Groups that have left home, or were evacuated, and says how much of their requests may come back.
 */
export interface FailbackKeeper {
  /**
   * The share that a Group keeps now, percent; undefined: nothing is held back. `evacuated`: what evacuations
   * leave at home in the plan that is being made, percent.
   */
  shareOf(group: string, evacuated?: number): number | undefined;
  /** The share of its reads that are mirrored home, percent; undefined: none is. */
  mirrorOf(group: string): number | undefined;
  /**
   * How many instances of a host have not failed two checks in a row, at its worst port; undefined: nobody
   * knows.
   */
  goodOf(host: string): number | undefined;
  /**
   * What a host's instances worked on at once, as declared, before they were evacuated; undefined: they are
   * not, or nobody declared it.
   */
  slotsBeforeOf(host: string): number | undefined;
  /** Groups that cannot take all back. */
  shortfalls(): readonly Shortfall[];
  /** Takes in what was planned anew. */
  planned(plans: PlannedGroups): void;
  /**
   * From now on what it knows of the registry is whole, and `onShares` is told hosts whose Groups' shares
   * have changed.
   */
  start(onShares: (hosts: readonly string[]) => void): void;
  /** Groups that are held back, with their shares. */
  held(): ReadonlyMap<string, number>;
  close(): void;
}

/** Checks a second that one control plane sends at most; with more instances each is asked less often. */
const checksPerSecondMax = 200;
/** How often the time is looked at while something goes on. */
const tickMs = 250;
/** Two checks in a row that fail, as proxies count. */
const failuresMax = 2;

interface Seen {
  /** Checks in a row that failed; undefined: it was never asked. */
  failures: number | undefined;
}

interface Watched {
  readonly key: string;
  plan: GroupPlan;
  failback: Failback;
  health: HealthCheck;
  readonly instances: Map<string, { target: Target; seen: Seen }>;
  state: FailbackState;
  /** What evacuations leave at home in its last plan, percent. */
  evacuated: number;
  /** What its instances worked on at once before they were evacuated: as long as they are, and come home. */
  slotsBefore: number | undefined;
  share: number | undefined;
  mirror: number | undefined;
  /** Whether an instance has ever passed. */
  hasPassed: boolean;
  round: Timer | undefined;
  tick: Timer | undefined;
}

/** What the instances of a plan work on at once; undefined: nobody has declared it. */
function slotsOf({ instances, spill }: GroupPlan): number | undefined {
  if (spill === undefined) return undefined;
  const own = instances.filter(({ priority }) => priority === undefined);
  return own.reduce((sum, { endpoints }) => sum + endpoints.length, 0) * spill.concurrent;
}

/** Watches nobody yet. */
export function createFailbackKeeper(options: FailbackOptions): FailbackKeeper {
  const { clock, logger, saved = {} } = options;
  const watched = new Map<string, Watched>();
  let isStarted = false;
  let tellShares: (hosts: readonly string[]) => void = () => {};
  let isClosed = false;
  let written = JSON.stringify(saved);

  function shareNow(group: string, evacuated?: number): number | undefined {
    const one = watched.get(group);
    if (one === undefined) return savedOf(group)?.share;
    const state = stateAfter(one, evacuated ?? one.evacuated);
    return state === one.state ? one.share : shareOf(state, clock.now(), one.failback);
  }

  /** Its state once evacuations leave so much at home. */
  function stateAfter({ state, share = 100, evacuated }: Watched, next: number): FailbackState {
    // Before the registry is whole, an evacuation that is not known has not ended.
    if (!isStarted) return state;
    if (state.at === 'due' && next <= state.share) return { at: 'home', failures: state.failures };
    if (next <= evacuated) return state;
    return endEvacuation(state, Math.min(share, evacuated));
  }

  /** What the control plane before this one had come to: of interest until this one sees for itself. */
  function savedOf(group: string): SavedStates[string] | undefined {
    return !isStarted && Object.hasOwn(saved, group) ? saved[group] : undefined;
  }

  function watch(plan: GroupPlan, failback: Failback, health: HealthCheck): void {
    const key = groupKey(plan);
    const { evacuationShare: evacuated = 100 } = plan;
    const known = watched.get(key);
    if (known !== undefined) {
      const wasEvacuated = known.evacuated;
      const state = stateAfter(known, evacuated);
      // As of the plan before: what leaves with the evacuation is missed as well.
      if (evacuated < 100) known.slotsBefore ??= slotsOf(known.plan);
      // What it was planned with just now.
      if (state !== known.state) known.share = shareOf(state, clock.now(), failback);
      Object.assign(known, { plan, failback, health, state, evacuated });
      place(known);
      if (isStarted && evacuated !== wasEvacuated) write();
      return;
    }
    const before = savedOf(key);
    const state = before === undefined ? atHome : resumeFailback(before, clock.now());
    const slotsBefore = before?.slots ?? (evacuated < 100 ? slotsOf(plan) : undefined);
    const one: Watched = {
      ...{ key, plan, failback, health, state, evacuated, slotsBefore, instances: new Map() },
      // Of a mirror the first plan knows nothing.
      ...{
        share: shareOf(state, clock.now(), failback),
        mirror: undefined,
        hasPassed: false,
        round: undefined,
        tick: undefined,
      },
    };
    watched.set(key, one);
    place(one);
    if (isStarted) begin(one);
  }

  /** Takes in which instances there are. Of one that stays, what was seen stays. */
  function place({ plan, health, instances }: Watched): void {
    const endpoints = plan.instances
      .filter(({ priority }) => priority === undefined)
      .flatMap((locality) => locality.endpoints)
      // What listens on a unix socket listens on another machine.
      .filter(({ address }) => !address.startsWith('unix://'));
    const there = new Set<string>();
    for (const endpoint of endpoints) {
      const port = health.port ?? endpoint.port;
      const name = `${endpoint.address} ${port}`;
      const { host } = plan.group;
      const { question, intervalMs } = health;
      const isTls = plan.tls !== undefined;
      const timeoutMs = 0.8 * intervalMs;
      const target = { host, address: endpoint.address, port, question, isTls, timeoutMs };
      const seen = instances.get(name)?.seen ?? { failures: undefined };
      instances.set(name, { target, seen });
      there.add(name);
    }
    for (const name of instances.keys()) if (!there.has(name)) instances.delete(name);
  }

  function begin(one: Watched): void {
    void ask(one);
    look(one);
  }

  /** A round of checks, and the next one in time. */
  async function ask(one: Watched): Promise<void> {
    one.round?.cancel();
    const all = [...watched.values()].reduce((sum, { instances }) => sum + instances.size, 0);
    const everyMs = Math.max(one.health.intervalMs, (1_000 * all) / checksPerSecondMax);
    const next = clock.now() + everyMs;
    await Promise.all(
      [...one.instances.values()].map(async ({ target, seen }) => {
        const isWell = await options.check(target);
        seen.failures = isWell ? 0 : (seen.failures ?? 0) + 1;
        one.hasPassed ||= isWell;
      }),
    );
    if (isClosed || watched.get(one.key) !== one) return;
    one.round = clock.after(Math.max(1, next - clock.now()), () => void ask(one));
  }

  function look(one: Watched): void {
    if (isClosed || watched.get(one.key) !== one) return;
    one.tick = clock.after(tickMs, () => look(one));
    if (one.state.at === 'home' && one.evacuated === 100) one.slotsBefore = undefined;
    const seen = sightingOf(one);
    // Who was never asked says nothing: not while nobody was.
    if (seen.all > 0 && seen.asked === 0) return;
    // Nor do instances that were never reached from here: it may be a firewall that they are behind.
    const isUnseen = seen.all > 0 && !one.hasPassed;
    const before = one.state;
    if (isUnseen && before.at === 'home') return;
    one.state =
      isUnseen && before.at === 'due'
        ? { at: 'home', failures: before.failures }
        : stepFailback(before, seen, one.failback);
    if (one.state.at !== before.at) tell(one, before);
    settle(one, seen.now);
  }

  function sightingOf({ instances }: Pick<Watched, 'instances'>): Sighting & { readonly asked: number } {
    const known = [...instances.values()].flatMap(({ seen }) => seen.failures ?? []);
    return {
      ...{ now: clock.now(), all: instances.size, asked: known.length },
      passing: known.filter((failures) => failures === 0).length,
      good: known.filter((failures) => failures < failuresMax).length,
    };
  }

  /** Has its share pushed where it is another one now. */
  function settle(one: Watched, now: number): void {
    const share = shareOf(one.state, now, one.failback);
    const mirror = mirrorOf(one.state, now, one.failback);
    if (share === one.share && mirror === one.mirror) return;
    Object.assign(one, { share, mirror });
    write();
    tellShares([one.plan.group.host]);
  }

  function tell(one: Watched, before: FailbackState): void {
    const { key, state, instances } = one;
    const held = {
      home: 'nobody is left at home: it will come back little by little',
      due: 'its evacuation is over, but fewer than half of its instances are good: held until they are',
    } as const;
    const words = {
      home: 'all of its requests are home again',
      due: 'its evacuation is over',
      away:
        before.at === 'home' || before.at === 'due'
          ? held[before.at]
          : 'it failed on its way home: held again, for longer',
      warm: 'enough instances are good: reads are mirrored to them',
      ramp: 'enough instances are good: its requests come home little by little',
    } as const;
    const { failures } = state;
    logger.info(`failback: ${words[state.at]}`, { group: key, instances: instances.size, failures });
    if (before.at !== 'due') return;
    for (const { before: bore, bears } of shortfallOf(one))
      logger.warn('failback: it comes home to instances that bear less than before it was evacuated', {
        ...{ group: key, bears, before: bore },
      });
  }

  function write(): void {
    const now = clock.now();
    const states: Record<string, SavedFailback> = {};
    for (const { key, state, failback, evacuated, slotsBefore: slots } of watched.values()) {
      const one = saveFailback(state, now, failback, evacuated);
      if (one !== undefined) states[key] = { ...one, ...(slots === undefined ? {} : { slots }) };
    }
    // Of those that were not planned yet.
    if (!isStarted) for (const key of Object.keys(saved)) states[key] ??= saved[key] as SavedFailback;
    const text = JSON.stringify(states);
    if (text === written) return;
    written = text;
    options.save?.(states);
  }

  /** What its instances work on at once now; of who was never reached from here nothing is known. */
  function bearsOf({ plan, hasPassed, instances }: Watched): number | undefined {
    const concurrent = plan.spill?.concurrent;
    if (concurrent === undefined) return undefined;
    return (hasPassed ? sightingOf({ instances }).good : instances.size) * concurrent;
  }

  function shortfallOf(one: Watched): Shortfall[] {
    const { key: group, slotsBefore: before, evacuated } = one;
    const bears = bearsOf(one);
    if (before === undefined || bears === undefined || bears >= before) return [];
    return [{ group, before, bears, isComing: evacuated === 100 }];
  }

  function forget(one: Watched): void {
    one.round?.cancel();
    one.tick?.cancel();
    watched.delete(one.key);
  }

  return {
    shareOf: shareNow,
    mirrorOf: (group) => watched.get(group)?.mirror,
    goodOf(host) {
      const ports = [...watched.values()].filter((one) => one.plan.group.host === host && one.hasPassed);
      return ports.length === 0 ? undefined : Math.min(...ports.map((one) => sightingOf(one).good));
    },
    slotsBeforeOf(host) {
      const ports = [...watched.values()].filter((one) => one.plan.group.host === host);
      const known = ports.flatMap(({ slotsBefore }) => slotsBefore ?? []);
      return known.length === 0 ? undefined : Math.max(...known);
    },
    shortfalls: () => [...watched.values()].flatMap(shortfallOf),
    planned(plans) {
      for (const [host, ports] of plans) {
        const keys = new Set<string>();
        for (const plan of ports) {
          if (plan.failback === undefined || plan.health === undefined) continue;
          keys.add(groupKey(plan));
          watch(plan, plan.failback, plan.health);
        }
        for (const one of [...watched.values()])
          if (one.plan.group.host === host && !keys.has(one.key)) forget(one);
      }
    },
    start(onShares) {
      if (isStarted) return;
      isStarted = true;
      tellShares = onShares;
      for (const one of watched.values()) {
        one.state = stateAfter(one, one.evacuated);
        begin(one);
      }
      write();
    },
    held: () =>
      new Map([...watched].flatMap(([key, { share }]) => (share === undefined ? [] : [[key, share]]))),
    close() {
      isClosed = true;
      for (const one of [...watched.values()]) forget(one);
    },
  };
}
