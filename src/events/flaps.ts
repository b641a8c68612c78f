import type { Clock, Timer } from '../base/clock.ts';

/**
 * When the same begins again too fast to be told each time, in milliseconds: what begins so soon after the
 * last that was told is told once it has been quiet, or has gone on for long.
 */
export const flapLimits = { againMs: 10_000, quietMs: 1_000, mostMs: 10_000 } as const;

/** What came together: how often it ended, and the time from the first beginning to the last change. */
export interface Flapping {
  readonly times: number;
  readonly inMs: number;
}

type Phase = 'begin' | 'end';

/** What is told once it is quiet; `since`, `until`: the first and the last change. */
interface Held<One> {
  readonly phase: Phase;
  readonly one: One;
  readonly times: number;
  readonly since: number;
  readonly until: number;
  readonly timer: Timer;
}

/** A beginning that was told; `held`: what has come since, and is not told yet. */
interface Seen<One> {
  held: Held<One> | undefined;
}

/**
 * Tells what begins and ends, such as a loss and a return: the first of each at once, and what flaps after
 * that in one: its last state, and how often it ended.
 */
export class Flaps<One> {
  readonly #clock: Clock;
  readonly #tell: (phase: Phase, one: One, flapping?: Flapping) => void;
  // By key, while a further beginning would be soon after the last one that was told.
  readonly #seen = new Map<string, Seen<One>>();

  constructor(clock: Clock, tell: (phase: Phase, one: One, flapping?: Flapping) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  begin(key: string, one: One): void {
    const seen = this.#seen.get(key);
    if (seen !== undefined) {
      this.#hold(key, seen, 'begin', one);
      return;
    }
    this.#tell('begin', one);
    this.#remember(key);
  }

  end(key: string, one: One): void {
    const seen = this.#seen.get(key);
    if (seen?.held === undefined) this.#tell('end', one);
    else this.#hold(key, seen, 'end', one);
  }

  #remember(key: string): void {
    const seen: Seen<One> = { held: undefined };
    this.#seen.set(key, seen);
    this.#clock.after(flapLimits.againMs, () => {
      if (this.#seen.get(key) === seen && seen.held === undefined) this.#seen.delete(key);
    });
  }

  #hold(key: string, seen: Seen<One>, phase: Phase, one: One): void {
    const now = this.#clock.now();
    const { since = now, times = 0, timer } = seen.held ?? {};
    timer?.cancel();
    const dueAt = Math.min(now + flapLimits.quietMs, since + flapLimits.mostMs);
    seen.held = {
      ...{ phase, one, since, until: now, times: times + (phase === 'end' ? 1 : 0) },
      timer: this.#clock.after(Math.max(0, dueAt - now), () => this.#release(key, seen)),
    };
  }

  #release(key: string, { held }: Seen<One>): void {
    if (held === undefined) return;
    const { phase, one, times, since, until } = held;
    this.#tell(phase, one, times === 0 ? undefined : { times, inMs: until - since });
    this.#remember(key);
  }
}
