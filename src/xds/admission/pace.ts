import type { Clock, Timer } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import type { Slices } from '../slices.ts';
import { type PaceLimits, paceLimits } from './pace-limits.ts';
import { Spent } from './spent.ts';

/** The pace of one connection: when its next request may be read. */
export interface Pace {
  /** Runs work for the connection, and counts its time. */
  run(work: () => void): void;
  /** Runs a slice of work, and counts its time; returns whether it was the last. */
  slice(work: Slices): boolean;
  /**
   * Calls `goOn` when the next slice may run, unless the timer is cancelled. Throws MeshError 'exhausted' as
   * `mustWait` does.
   */
  nextSlice(goOn: () => void): Timer;
  /** Counts time spent for the connection elsewhere, before or after this call. */
  charge(ms: number): void;
  /**
   * Whether enough was counted since the last call of `mustWait` to call it again before the next message.
   */
  isDue(): boolean;
  /**
   * Called before each message. Undefined: read it now. Otherwise `goOn` is called when to ask again, unless
   * the timer is cancelled. Throws MeshError 'exhausted' if the connection has exceeded its share for too
   * long.
   */
  mustWait(bytes: number, goOn: () => void): Timer | undefined;
}

interface Waiter {
  readonly pace: ConnectionPace;
  readonly goOn: () => void;
  /** It waits for a slice rather than for a whole message. */
  readonly isSlice: boolean;
}

// Most time counted without reading the clock, and most that a connection uses between two checks. A State of
// the World ACK arrives in several pieces; reading the clock for each, on 1,000 streams, is measurable.
const uncountedMsMax = 0.2;
// The head of the queue has a turn at least this often, so that the cost of work shared by many does not
// delay one connection by all of it.
const turnMsMax = 250;
// Share of the processor kept for slices whatever the total use: a turn each 250 ms would be a hundredth.
const sliceShare = 0.1;
// Use below this always counts as light, however many wait.
const leastMs = 5;

// A rest is over when the event loop has waited for so long: nobody else has work.
const idleRestMs = 0.5;

/**
 * Keeps one connection from taking the processor from the others. Expensive requests are delayed, not
 * refused: flow control of HTTP/2 makes the client wait. There is a token bucket of processor time for each
 * connection and one for all, which time fills, and faster while the event loop is idle: nobody waits for a
 * processor that nobody uses. While the common one is empty, heavy connections wait in one queue, and each
 * turn reads one message.
 */
export class Paces {
  readonly #clock: Clock;
  readonly #limits: PaceLimits;
  readonly #paces = new WeakMap<object, ConnectionPace>();
  readonly #line = new Set<Waiter>();
  readonly #all: Spent;
  #timer: Timer | undefined;
  // Time used by requests in this turn of the event loop; a timer resets it.
  #loopUsedMs = 0;
  #loop = 0;
  #loopTimer: Timer | undefined;
  // When the head of the queue last had a turn, or when the queue began.
  #turnAt = 0;
  /** The longest pause until the next turn, whatever the total use. */
  #turnMs = turnMsMax;
  // Heavy connections rest until this time. A push takes several turns of the event loop, and a heavy message
  // would otherwise run between any two.
  #restUntil = 0;
  #restIdle = 0;
  readonly #idle: () => number;
  readonly #common: Common = {
    spent: (ms, begin, now) => this.#spent(ms, begin, now),
    waits: () => {
      this.waits += 1;
    },
    isScarce: (now) => this.#isHeld || this.#isFull() || this.#isOver(now),
    isHeld: () => this.#isHeld,
    idle: () => this.#idle(),
    fillRate: (share) => this.#fillRate(share),
    isFull: () => this.#isFull(),
    loop: () => this.#loop,
    littleMs: () => this.#littleMs(),
    queue: (waiter) => this.#queue(waiter),
  };
  // Those who ask for much wait, however much time there is.
  #isHeld = false;
  /** How often a connection was made to wait. */
  waits = 0;

  constructor(clock: Clock, limits: PaceLimits = paceLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#idle = () => (clock.idle?.() ?? 0) * limits.idleShare;
    this.#all = new Spent(limits.allBurstMs, limits.allShare, clock.now(), this.#idle);
  }

  /** Connections in the queue. */
  get waiting(): number {
    return this.#line.size;
  }

  /**
   * Lets those who ask for much wait until it is called with false: what they ask for is not begun, and not
   * gone on with.
   */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (isHeld) {
      this.#timer?.cancel();
      this.#timer = undefined;
    } else this.#awaitTurn();
  }

  /** The pace of a connection, shared by its streams. */
  of(connection: object): Pace {
    const known = this.#paces.get(connection);
    if (known !== undefined) return known;
    const made = new ConnectionPace(this.#clock, this.#limits, this.#common);
    this.#paces.set(connection, made);
    return made;
  }

  #spent(ms: number, begin: number, now: number): void {
    this.#all.add(ms, begin, now);
    this.#loopUsedMs += ms;
    if (ms >= this.#limits.loopMs) this.#rest(now + ms);
    this.#loopTimer ??= this.#clock.after(0, this.#nextLoop);
  }

  #rest(until: number): void {
    this.#restUntil = Math.max(this.#restUntil, until);
    this.#restIdle = this.#idle();
  }

  /** What a bucket gains in a millisecond at most: it is full at the earliest after so long. */
  #fillRate(share: number): number {
    return this.#clock.idle === undefined ? share : share + this.#limits.idleShare;
  }

  readonly #nextLoop = (): void => {
    this.#loopTimer = undefined;
    this.#loopUsedMs = 0;
    this.#loop += 1;
  };

  /** Whether this turn of the event loop has spent enough on requests. */
  #isFull(): boolean {
    return this.#loopUsedMs >= this.#limits.loopMs;
  }

  /** Whether total use is above its share, or a long turn has just ended. */
  #isOver(now: number): boolean {
    const rests = now < this.#restUntil && this.#idle() - this.#restIdle < idleRestMs;
    return rests || this.#all.overMs(now) > 0;
  }

  #littleMs(): number {
    const { littleMs, lateMs, allShare, allBurstMs } = this.#limits;
    const fair = (allShare * lateMs) / Math.LN2 / (1 + this.#line.size);
    const debt = Math.max(0, this.#all.overMs(this.#clock.now())) / allBurstMs;
    return Math.max(leastMs, Math.min(littleMs / (1 + debt), fair / 2));
  }

  #queue(waiter: Waiter): Timer {
    if (this.#line.size === 0) this.#turnAt = Math.max(this.#turnAt, this.#clock.now());
    this.#line.add(waiter);
    this.#awaitTurn();
    return { cancel: () => void this.#line.delete(waiter) };
  }

  /**
   * Milliseconds until the head of the queue may have its turn: when there can be room, at the latest after
   * the longest pause.
   */
  #msToNext(): number {
    const now = this.#clock.now();
    const room = Math.ceil(this.#all.overMs(now) / this.#fillRate(this.#limits.allShare));
    // It may end early.
    const rest = this.#clock.idle === undefined ? this.#restUntil - now : 0;
    return Math.max(1, Math.min(Math.max(room, rest), this.#turnAt + this.#turnMs - now));
  }

  readonly #next = (): void => {
    this.#timer = undefined;
    const begin = this.#clock.now();
    for (const waiter of this.#line) {
      const now = this.#clock.now();
      if (this.#isHeld || this.#isFull() || (this.#isOver(now) && now - this.#turnAt < this.#turnMs)) break;
      this.#turnAt = now;
      this.#line.delete(waiter);
      waiter.pace.hasTurn = true;
      waiter.goOn();
      const took = this.#clock.now() - now;
      // A long turn is followed by as much time for light connections.
      this.#turnMs = Math.max(
        waiter.isSlice ? Math.min(turnMsMax, took / sliceShare) : turnMsMax,
        took / this.#limits.allShare,
      );
    }
    const end = this.#clock.now();
    if (end > begin) this.#rest(2 * end - begin);
    this.#awaitTurn();
  };

  #awaitTurn(): void {
    if (this.#line.size === 0 || this.#isHeld) return;
    this.#timer ??= this.#clock.after(this.#msToNext(), this.#next);
  }
}

/** What a connection's pace shares with all others. */
interface Common {
  spent(ms: number, begin: number, now: number): void;
  waits(): void;
  /** Whether all connections together have had more than their share, or are held. */
  isScarce(now: number): boolean;
  isHeld(): boolean;
  idle(): number;
  fillRate(share: number): number;
  /** Whether this turn of the event loop has done enough for requests, and which one it is. */
  isFull(): boolean;
  loop(): number;
  littleMs(): number;
  queue(waiter: Waiter): Timer;
}

class ConnectionPace implements Pace {
  readonly #clock: Clock;
  readonly #limits: PaceLimits;
  readonly #common: Common;
  readonly #own: Spent;
  /** The same, but for what was given back because nobody else needed it. */
  readonly #ofItsShare: Spent;
  #overSince: number | undefined;
  #lately = 0;
  #latelyAt: number;
  #uncounted = 0;
  #sinceAsked = 0;
  // What it had of the turn of the event loop that it was served in last.
  #loop = -1;
  #loopMs = 0;
  // When `mustWait` last returned undefined; -1 if work was done since.
  #askedAt = -1;
  /** Its message is read next. */
  hasTurn = false;

  constructor(clock: Clock, limits: PaceLimits, common: Common) {
    this.#clock = clock;
    this.#limits = limits;
    this.#common = common;
    this.#latelyAt = clock.now();
    this.#own = new Spent(limits.burstMs, limits.share, this.#latelyAt, common.idle);
    this.#ofItsShare = new Spent(limits.burstMs, limits.share, this.#latelyAt);
  }

  run(work: () => void): void {
    // Reuses the time that `mustWait` has just read.
    const begin = this.#askedAt >= 0 ? this.#askedAt : this.#clock.now();
    this.#askedAt = -1;
    // At most half of the burst is used: the recent rate was within the share.
    if (this.#ofItsShare.usedMs(begin) < this.#limits.burstMs / 2) this.#overSince = undefined;
    this.hasTurn = false;
    try {
      work();
    } finally {
      const now = this.#clock.now();
      this.#sinceAsked += now - begin;
      this.#add(now - begin, begin, now);
    }
  }

  slice(work: Slices): boolean {
    let isDone = false;
    this.run(() => {
      const end = this.#clock.now() + this.#limits.sliceMs;
      do isDone = work.next().done === true;
      while (!isDone && this.#clock.now() < end);
    });
    return isDone;
  }

  nextSlice(goOn: () => void): Timer {
    const now = this.#clock.now();
    this.#count(now);
    const over = this.#overMs(now);
    if (over <= 0 || this.#common.isHeld()) return this.#common.queue({ pace: this, goOn, isSlice: true });
    return this.#waitFor(over, goOn);
  }

  /** By how much it is over its share of what others need. Throws as `mustWait` does. */
  #overMs(now: number): number {
    const over = this.#own.overMs(now);
    if (over > 0 || this.#ofItsShare.overMs(now) > 0) this.#judge(now);
    return over;
  }

  #waitFor(overMs: number, goOn: () => void): Timer {
    this.#common.waits();
    return this.#clock.after(Math.ceil(overMs / this.#common.fillRate(this.#limits.share)), goOn);
  }

  charge(ms: number): void {
    this.#sinceAsked += ms;
    this.#uncounted += ms;
    if (this.#uncounted >= uncountedMsMax) this.#count(this.#clock.now());
  }

  isDue(): boolean {
    return this.#sinceAsked >= uncountedMsMax;
  }

  #count(now: number): void {
    const ms = this.#uncounted;
    if (ms === 0) return;
    this.#uncounted = 0;
    this.#add(ms, now, now);
  }

  #add(ms: number, begin: number, now: number): void {
    this.#own.add(ms, begin, now);
    this.#ofItsShare.add(ms, begin, now);
    this.#common.spent(ms, begin, now);
    const loop = this.#common.loop();
    this.#loopMs = loop === this.#loop ? this.#loopMs + ms : ms;
    this.#loop = loop;
    this.#lately = this.#latelyMs(now) + ms;
    this.#latelyAt = now;
  }

  #latelyMs(now: number): number {
    return this.#lately * 0.5 ** ((now - this.#latelyAt) / this.#limits.lateMs);
  }

  mustWait(bytes: number, goOn: () => void): Timer | undefined {
    const now = this.#clock.now();
    this.#count(now);
    this.#sinceAsked = 0;
    const over = this.#overMs(now);
    if (over > 0) return this.#waitFor(over, goOn);
    if (!this.hasTurn && this.#hadItsPart()) {
      this.#common.waits();
      return this.#clock.after(0, goOn);
    }
    if (this.hasTurn || !this.#common.isScarce(now) || this.#isLittle(bytes, now)) {
      this.#askedAt = bytes > 0 ? now : -1;
      return undefined;
    }
    this.#common.waits();
    return this.#common.queue({ pace: this, goOn, isSlice: false });
  }

  /**
   * Whether this turn of the event loop is full, and it had a part of it: many short messages are read at
   * once.
   */
  #hadItsPart(): boolean {
    const { isFull, loop } = this.#common;
    return isFull() && this.#loop === loop() && this.#loopMs >= uncountedMsMax;
  }

  #isLittle(bytes: number, now: number): boolean {
    return bytes <= this.#limits.littleBytes && this.#latelyMs(now) < this.#common.littleMs();
  }

  #judge(now: number): void {
    const { share, overMsMax } = this.#limits;
    this.#overSince ??= now;
    if (now - this.#overSince < overMsMax) return;
    throw new MeshError(
      'exhausted',
      `the requests of this connection took more than ${Math.round(100 * share)} % of a processor for ${overMsMax / 1000} s: send fewer, or smaller ones`,
    );
  }
}
