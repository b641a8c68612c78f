import type { Clock, Timer } from '../base/clock.ts';
import type { EventSink } from '../events/event.ts';
import { addressName } from '../model/reach.ts';
import { type FailbackState, failbackLimits } from '../plan/failback.ts';
import { countOwn, groupKey } from '../plan/group.ts';
import type { PlannedGroups } from '../plan/planner.ts';
import type { GroupPlan } from '../plan/types.ts';
import { type FailoverEvent, FailoverTeller, type FindTakers } from './failover-teller.ts';

type Cause = NonNullable<FailoverEvent['why']>;

/** A failover that an earlier control plane has told and not ended. */
export interface OpenFailover {
  readonly why: Cause;
  /** Milliseconds since it began. */
  readonly forMs: number;
}

interface FailoverOptions {
  readonly clock: Clock;
  readonly events: EventSink;
  /** By `groupKey`. */
  readonly open: ReadonlyMap<string, OpenFailover>;
}

/** One port of a Group, as it stands. */
interface Standing {
  plan: GroupPlan;
  /** Whether it has had an instance here: one that never had is served elsewhere by intent. */
  hadInstances: boolean;
  /** Of the failback keeper; undefined: it does not watch the Group. */
  checks: FailbackState['at'] | undefined;
  /** Whether some instance can serve at proxies that were read; undefined: none was read. */
  seen: boolean | undefined;
  phase: 'home' | 'away' | 'returning';
  /** Since when it has no instance that can serve, in the clock's time. */
  since: number | undefined;
  why: Cause | undefined;
}

/** Groups that are looked at in one turn of the event loop: a millisecond or two. */
const looksAtOnce = 500;

/** A failover of an earlier control plane is not ended before probes have had the time to find it again. */
const settleMs = 15_000;

/**
 * Tells when no instance of a Group in this IDC can serve, as far as this control plane knows, and when one
 * can again. It knows the registry, its own checks and probes, and what proxies say that are read; it asks
 * nobody, but egress gateways who takes over.
 */
export class FailoverWatch {
  readonly #clock: Clock;
  readonly #teller: FailoverTeller;
  readonly #open: Map<string, OpenFailover>;
  readonly #groups = new Map<string, Standing>();
  readonly #keysOf = new Map<string, readonly string[]>();
  readonly #due = new Set<string>();
  #keys: readonly string[] | undefined;
  #unreached: ReadonlySet<string> = new Set();
  #timer: Timer | undefined;
  #startedAt: number | undefined;

  constructor({ clock, events, open }: FailoverOptions) {
    this.#clock = clock;
    this.#teller = new FailoverTeller({ clock, events });
    this.#open = new Map(open);
  }

  /** From now on this is asked who takes over; without it the first IDC in order is named. */
  askTakers(find: FindTakers): void {
    this.#teller.ask(find);
  }

  /** Takes new plans; looks at them later, as pushes are under way. */
  applyPlans(plans: PlannedGroups): void {
    for (const [host, ports] of plans) {
      const keys = ports.map(groupKey);
      for (const key of this.#keysOf.get(host) ?? []) if (!keys.includes(key)) this.#forget(key);
      if (keys.length > 0) this.#keysOf.set(host, keys);
      else this.#keysOf.delete(host);
      for (const [i, plan] of ports.entries()) this.#plan(keys[i] as string, plan);
    }
  }

  /** Instances that do not accept connections, as `addressName`. */
  applyUnreached(unreached: ReadonlySet<string>): void {
    this.#unreached = unreached;
    for (const key of this.#groups.keys()) this.#lookAt(key);
  }

  /** The state of a Group at the failback keeper. */
  applyChecks(key: string, at: FailbackState['at']): void {
    const group = this.#groups.get(key);
    if (group === undefined) return;
    const wasReturning = group.checks === 'warm' || group.checks === 'ramp';
    group.checks = at;
    if (group.phase === 'returning' && wasReturning && at === 'away') {
      group.phase = 'away';
      this.#tell('held', key, group, { why: 'checks' });
    }
    this.#lookAt(key);
  }

  /** Whether some instance of a Group can serve, at the proxies that were read. */
  applySeen(key: string, canServe: boolean): void {
    const group = this.#groups.get(key);
    if (group === undefined || group.seen === canServe) return;
    group.seen = canServe;
    this.#lookAt(key);
  }

  /** From now on all Groups are known. */
  start(): void {
    this.#startedAt = this.#clock.now();
    for (const key of this.#groups.keys()) this.#lookAt(key);
    this.#clock.after(settleMs, () => {
      for (const key of this.#groups.keys()) this.#lookAt(key);
    });
  }

  /** The names of all Groups: the same list while these are the same. */
  keys(): readonly string[] {
    this.#keys ??= [...this.#groups.keys()];
    return this.#keys;
  }

  /** The plan of a Group that gateways know and that has instances here; undefined: there is none. */
  readablePlan(key: string): GroupPlan | undefined {
    const plan = this.#groups.get(key)?.plan;
    const hasInstances = plan?.instances.some(
      ({ priority, endpoints }) => priority === undefined && endpoints.length > 0,
    );
    return hasInstances && plan?.seenBy === undefined ? plan : undefined;
  }

  /** Groups that have failed over. */
  away(): readonly string[] {
    return [...this.#groups].flatMap(([key, { phase }]) => (phase === 'home' ? [] : [key]));
  }

  close(): void {
    this.#timer?.cancel();
    this.#teller.close();
    this.#startedAt = undefined;
  }

  #plan(key: string, plan: GroupPlan): void {
    const known = this.#groups.get(key);
    if (known !== undefined) known.plan = plan;
    else {
      this.#groups.set(key, this.#opened(key, plan));
      this.#keys = undefined;
    }
    this.#lookAt(key);
  }

  #forget(key: string): void {
    this.#groups.delete(key);
    this.#teller.forget(key);
    this.#keys = undefined;
  }

  #opened(key: string, plan: GroupPlan): Standing {
    const before = this.#open.get(key);
    this.#open.delete(key);
    const home = { plan, hadInstances: false, checks: undefined, seen: undefined };
    if (before === undefined) return { ...home, phase: 'home', since: undefined, why: undefined };
    const since = this.#clock.now() - before.forMs;
    return { ...home, hadInstances: true, phase: 'away', since, why: before.why };
  }

  /** Looks in the next turn, whatever comes until then. */
  #lookAt(key: string, afterMs = 0): void {
    if (afterMs > 0) {
      this.#clock.after(afterMs, () => this.#lookAt(key));
      return;
    }
    this.#due.add(key);
    this.#timer ??= this.#clock.after(0, () => this.#lookAtDue());
  }

  #lookAtDue(): void {
    this.#timer = undefined;
    let left = looksAtOnce;
    for (const key of this.#due) {
      if (left === 0) {
        this.#timer = this.#clock.after(0, () => this.#lookAtDue());
        return;
      }
      left -= 1;
      this.#due.delete(key);
      const group = this.#groups.get(key);
      if (group !== undefined) this.#look(key, group);
    }
  }

  #look(key: string, group: Standing): void {
    const instances = countOwn(group.plan.instances);
    if (instances > 0) group.hadInstances = true;
    if (this.#startedAt === undefined) return;
    const cause = this.#causeOf(group, instances);
    const isReturning = group.checks === 'warm' || group.checks === 'ramp';
    if (cause !== undefined) this.#failed(key, group, cause);
    else if (group.phase === 'home') group.since = undefined;
    else if (this.#mayBeFoundAgain(group)) return;
    else if (isReturning) this.#returning(key, group);
    else this.#end(key, group);
  }

  #end(key: string, group: Standing): void {
    const lastedMs = Math.round(this.#clock.now() - (group.since ?? this.#clock.now()));
    Object.assign(group, { phase: 'home', since: undefined, why: undefined });
    this.#tell('end', key, group, { lastedMs });
  }

  /** Why no instance can serve; undefined: one can, or nothing is known. */
  #causeOf({ plan, hadInstances, checks, seen }: Standing, instances: number): Cause | undefined {
    if (instances === 0 && hadInstances) return plan.drained === undefined ? 'registry' : 'drained';
    if (instances === 0) return undefined;
    if (checks === 'away') return 'checks';
    if (this.#isUnreached(plan)) return 'unreached';
    return seen === false ? 'proxies' : undefined;
  }

  /** Whether no instance here accepts connections. All Groups are asked at once: it makes no list. */
  #isUnreached({ instances }: GroupPlan): boolean {
    if (this.#unreached.size === 0) return false;
    return instances.every(
      ({ priority, endpoints }) =>
        priority !== undefined || endpoints.every((one) => this.#unreached.has(addressName(one))),
    );
  }

  #failed(key: string, group: Standing, why: Cause): void {
    const now = this.#clock.now();
    if (group.phase !== 'home') {
      if (group.phase === 'returning') group.phase = 'away';
      return;
    }
    group.since ??= now;
    // Less is a restart. Checks have waited already.
    const leftMs = why === 'checks' ? 0 : group.since + failbackLimits.goneMs - now;
    if (leftMs > 0) {
      this.#lookAt(key, leftMs);
      return;
    }
    Object.assign(group, { phase: 'away', why });
    this.#tell('begin', key, group, { why });
  }

  #returning(key: string, group: Standing): void {
    if (group.phase === 'returning') return;
    group.phase = 'returning';
    this.#tell('returning', key, group, {});
  }

  /** Whether one of an earlier control plane may still be under way, and this one does not know it yet. */
  #mayBeFoundAgain({ why, seen }: Standing): boolean {
    if (why === 'proxies') return seen === undefined;
    const isNew = this.#clock.now() - (this.#startedAt ?? 0) < settleMs;
    return why === 'unreached' && isNew;
  }

  #tell(
    phase: FailoverEvent['phase'],
    key: string,
    { plan }: Standing,
    more: Pick<FailoverEvent, 'why' | 'lastedMs'>,
  ): void {
    const [instances, drained] = [countOwn(plan.instances), countOwn(plan.drained)];
    const event = { kind: 'failover', phase, group: key, instances, ...more } as const;
    this.#teller.tell(drained === 0 ? event : { ...event, drained }, plan);
  }
}
