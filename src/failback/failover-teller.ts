import type { Clock, Timer } from '../base/clock.ts';
import type { EventSink, NewEvent } from '../events/event.ts';
import type { GroupPlan } from '../plan/types.ts';

/** A failover as it is told. */
export type FailoverEvent = Extract<NewEvent, { readonly kind: 'failover' }>;

/** Who takes the requests of a Group, as far as is known. */
export type Taker = Pick<FailoverEvent, 'to' | 'unable'>;

/** Finds who takes the requests of Groups that no instance here serves; those left out are not known. */
export type FindTakers = (plans: readonly GroupPlan[]) => Promise<ReadonlyMap<GroupPlan, Taker>>;

interface TellerOptions {
  readonly clock: Clock;
  readonly events: EventSink;
}

/** A failover that waits until it is known who takes over; what happens to it meanwhile follows it. */
interface Untold {
  readonly plan: GroupPlan;
  readonly events: FailoverEvent[];
}

/** Tells failovers: where one begins, egress gateways are asked who takes over before it is told. */
export class FailoverTeller {
  readonly #clock: Clock;
  readonly #events: EventSink;
  readonly #untold = new Map<string, Untold>();
  /** Who has taken over, by Group. */
  readonly #takers = new Map<string, Taker>();
  /** Those of `#untold` that are not asked for yet. */
  #toAsk: string[] = [];
  #find: FindTakers | undefined;
  #timer: Timer | undefined;

  constructor({ clock, events }: TellerOptions) {
    this.#clock = clock;
    this.#events = events;
  }

  /** From now on this is asked; without it the first IDC in order is named. */
  ask(find: FindTakers): void {
    this.#find = find;
  }

  tell(event: FailoverEvent, plan: GroupPlan): void {
    const { group: key, phase } = event;
    const before = this.#untold.get(key);
    if (before !== undefined) {
      before.events.push(event);
      return;
    }
    if (phase !== 'begin' || this.#find === undefined || plan.crossing === undefined) {
      this.#note(event, plan);
      return;
    }
    this.#untold.set(key, { plan, events: [event] });
    this.#toAsk.push(key);
    this.#timer ??= this.#clock.after(0, () => void this.#askNow());
  }

  /** A Group is gone: nothing more is told of it. */
  forget(key: string): void {
    this.#untold.delete(key);
    this.#takers.delete(key);
  }

  close(): void {
    this.#timer?.cancel();
    this.#find = undefined;
    this.#toAsk = [];
    this.#untold.clear();
  }

  async #askNow(): Promise<void> {
    this.#timer = undefined;
    const asked = this.#toAsk.flatMap((key) => this.#untold.get(key) ?? []);
    this.#toAsk = [];
    const found = await this.#find?.(asked.map(({ plan }) => plan)).catch(() => undefined);
    for (const { plan, events } of asked) {
      const key = events[0]?.group ?? '';
      // Closed meanwhile: the next control plane finds it again.
      if (!this.#untold.delete(key)) continue;
      const taker = found?.get(plan);
      if (taker !== undefined) this.#takers.set(key, taker);
      for (const event of events) this.#note(event, plan);
    }
  }

  #note(event: FailoverEvent, { crossing }: GroupPlan): void {
    const { group: key, phase } = event;
    const first = crossing?.idcs[0]?.idc;
    const taker = this.#takers.get(key) ?? (first === undefined ? {} : { to: first });
    if (phase === 'end') this.#takers.delete(key);
    this.#events.note(phase === 'end' ? event : { ...event, ...taker });
  }
}
