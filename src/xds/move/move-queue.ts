import type { Clock, Timer } from '../../base/clock.ts';
import type { Slices } from '../slices.ts';
import type { Session } from '../stream/session.ts';

// Milliseconds of moving between other work, and how often a stream's difference may be outdated before it is
// made at once.
const sliceMs = 2;
const inVainMax = 3;

/** Streams that wait to be moved: some at a time, so that reading and pushing go on. */
export class MoveQueue {
  readonly #clock: Clock;
  readonly #moved: (session: Session) => void;
  readonly #waiting = new Set<Session>();
  #work: Slices | undefined;
  #timer: Timer | undefined;
  #isScheduled = false;
  #isClosed = false;

  /** `moved` is called once a stream has been moved. */
  constructor(clock: Clock, moved: (session: Session) => void) {
    this.#clock = clock;
    this.#moved = moved;
  }

  /** A stream has an order. One that is at work is moved after that: then it has to be added again. */
  add(session: Session): void {
    this.#waiting.add(session);
    if (this.#isScheduled || this.#isClosed) return;
    this.#isScheduled = true;
    queueMicrotask(() => this.#run());
  }

  drop(session: Session): void {
    this.#waiting.delete(session);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#waiting.clear();
  }

  #run(): void {
    if (this.#isClosed) return;
    const end = this.#clock.now() + sliceMs;
    this.#work ??= this.#moveAll();
    while (this.#work.next().done !== true) {
      if (this.#clock.now() < end) continue;
      this.#timer = this.#clock.after(0, () => this.#run());
      return;
    }
    this.#work = undefined;
    this.#isScheduled = false;
  }

  *#moveAll(): Slices {
    for (const session of this.#waiting) {
      yield* this.#move(session);
      yield;
    }
  }

  *#move(session: Session): Slices {
    for (let tries = 1; ; tries += 1) {
      const { order, isAtWork, subscriptions } = session;
      if (order === undefined || isAtWork || !this.#waiting.has(session)) break;
      if (order.isReady(subscriptions)) {
        session.follow(order);
        this.#waiting.delete(session);
        this.#moved(session);
        return;
      }
      if (tries > inVainMax) order.compareNow(subscriptions);
      else yield* order.compare(subscriptions);
    }
    this.#waiting.delete(session);
  }
}
