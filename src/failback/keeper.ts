import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Failback } from '../model/idc.ts';
import {
  atHome,
  type FailbackState,
  mirrorOf,
  resumeFailback,
  type SavedFailback,
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

/** What is written down, by `groupKey`. */
export type SavedStates = Readonly<Record<string, SavedFailback>>;

export interface FailbackOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Asks an instance once: whether it is well. Never rejects. */
  check(target: Target): Promise<boolean>;
  /** What a control plane before this one wrote down. */
  readonly saved?: SavedStates;
  /** Writes down what the next one is to go on with. */
  save?(states: SavedStates): void;
  /** The shares of these hosts' Groups have changed. */
  onShares(hosts: readonly string[]): void;
}

/** Watches Groups that have left home, and says how much of their requests may come back. */
export interface FailbackKeeper {
  /** The share that a Group keeps now, percent; undefined: nothing is held back. */
  shareOf(group: string): number | undefined;
  /** The share of its reads that are mirrored home, percent; undefined: none is. */
  mirrorOf(group: string): number | undefined;
  /** Takes in what was planned anew. */
  planned(plans: PlannedGroups): void;
  /** From now on what it knows of the registry is whole. */
  start(): void;
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
  share: number | undefined;
  mirror: number | undefined;
  /** Whether an instance has ever passed. */
  hasPassed: boolean;
  round: Timer | undefined;
  tick: Timer | undefined;
}

/** Watches nobody yet. */
export function createFailbackKeeper(options: FailbackOptions): FailbackKeeper {
  const { clock, logger, saved = {} } = options;
  const watched = new Map<string, Watched>();
  let isStarted = false;
  let isClosed = false;
  let written = JSON.stringify(saved);

  function shareNow(group: string): number | undefined {
    const one = watched.get(group);
    if (one !== undefined) return one.share;
    return savedOf(group)?.share;
  }

  /** What the control plane before this one had come to: of interest until this one sees for itself. */
  function savedOf(group: string): SavedFailback | undefined {
    return !isStarted && Object.hasOwn(saved, group) ? saved[group] : undefined;
  }

  function watch(plan: GroupPlan, failback: Failback, health: HealthCheck): void {
    const key = groupKey(plan);
    const known = watched.get(key);
    if (known !== undefined) {
      Object.assign(known, { plan, failback, health });
      place(known);
      return;
    }
    const before = savedOf(key);
    const state = before === undefined ? atHome : resumeFailback(before, clock.now());
    const one: Watched = {
      ...{ key, plan, failback, health, state, instances: new Map() },
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
    const seen = [...one.instances.values()].map(({ seen }) => seen.failures);
    // Who was never asked says nothing: not while nobody was.
    if (seen.length > 0 && seen.every((failures) => failures === undefined)) return;
    // Nor do instances that were never reached from here: it may be a firewall that they are behind.
    if (seen.length > 0 && !one.hasPassed && one.state.at === 'home') return;
    const now = clock.now();
    const before = one.state;
    one.state = stepFailback(
      before,
      {
        now,
        all: seen.length,
        passing: seen.filter((failures) => failures === 0).length,
        good: seen.filter((failures) => failures !== undefined && failures < failuresMax).length,
      },
      one.failback,
    );
    if (one.state.at !== before.at) tell(one, before);
    settle(one, now);
  }

  /** Has its share pushed where it is another one now. */
  function settle(one: Watched, now: number): void {
    const share = shareOf(one.state, now, one.failback);
    const mirror = mirrorOf(one.state, now, one.failback);
    if (share === one.share && mirror === one.mirror) return;
    Object.assign(one, { share, mirror });
    write();
    options.onShares([one.plan.group.host]);
  }

  function tell({ key, state, instances }: Watched, before: FailbackState): void {
    const words = {
      home: 'all of its requests are home again',
      away:
        before.at === 'home'
          ? 'nobody is left at home: it will come back little by little'
          : 'it failed on its way home: held again, for longer',
      warm: 'enough instances are good: reads are mirrored to them',
      ramp: 'enough instances are good: its requests come home little by little',
    } as const;
    const { failures } = state;
    logger.info(`failback: ${words[state.at]}`, { group: key, instances: instances.size, failures });
  }

  function write(): void {
    const now = clock.now();
    const states: Record<string, SavedFailback> = {};
    for (const { key, state, failback } of watched.values()) {
      const one = saveFailback(state, now, failback);
      if (one !== undefined) states[key] = one;
    }
    // Of those that were not planned yet.
    if (!isStarted) for (const key of Object.keys(saved)) states[key] ??= saved[key] as SavedFailback;
    const text = JSON.stringify(states);
    if (text === written) return;
    written = text;
    options.save?.(states);
  }

  function forget(one: Watched): void {
    one.round?.cancel();
    one.tick?.cancel();
    watched.delete(one.key);
  }

  return {
    shareOf: shareNow,
    mirrorOf: (group) => watched.get(group)?.mirror,
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
    start() {
      if (isStarted) return;
      isStarted = true;
      for (const one of watched.values()) begin(one);
    },
    held: () =>
      new Map([...watched].flatMap(([key, { share }]) => (share === undefined ? [] : [[key, share]]))),
    close() {
      isClosed = true;
      for (const one of [...watched.values()]) forget(one);
    },
  };
}
