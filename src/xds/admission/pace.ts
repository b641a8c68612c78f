import type { Clock, Timer } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import type { Slices } from '../slices.ts';
import { Spent } from './spent.ts';

/** How much processor time requests may take. */
export interface PaceLimits {
  /** A connection's: so many milliseconds at any time. */
  readonly burstMs: number;
  /** This share of one processor beyond that. */
  readonly share: number;
  /** A connection that asks for more than its share, without a pause, for so long is refused. */
  readonly overMsMax: number;
  /** The same of all connections together; whoever asks for little is served beyond it. */
  readonly allBurstMs: number;
  readonly allShare: number;
  /**
   * Who has had less than this lately asks for little: less of it the more all have had, and at most half of
   * a fair part where many wait. Half of what was had is forgotten in `lateMs`.
   */
  readonly littleMs: number;
  readonly lateMs: number;
  /** A message of more bytes than this is none of little. */
  readonly littleBytes: number;
  /**
   * After so many milliseconds of requests in one turn of the event loop, those who ask for much wait for the
   * next one.
   */
  readonly loopMs: number;
  /**
   * Work that is done in slices is left after so many milliseconds, and goes on when the line comes to it.
   */
  readonly sliceMs: number;
}

/** A first request of 100,000 names takes some 200 ms; an ACK, microseconds. */
export const paceLimits: PaceLimits = {
  ...{ burstMs: 2_000, share: 0.25, overMsMax: 60_000 },
  ...{ allBurstMs: 500, allShare: 0.5 },
  ...{ littleMs: 200, lateMs: 10_000, littleBytes: 64 * 1024, loopMs: 5 },
  sliceMs: 2,
};

/** One connection's requests, as fast as they may be read. */
export interface Pace {
  /** Does work that the connection asked for, and counts its time. */
  run(work: () => void): void;
  /** Does a slice of work, and counts its time; whether that was the last one. */
  slice(work: Slices): boolean;
  /**
   * Calls `goOn` when the next slice may be done, unless the timer is cancelled. Throws MeshError 'exhausted'
   * as `mustWait`.
   */
  nextSlice(goOn: () => void): Timer;
  /** Counts time that was, or will be, taken for it elsewhere. */
  charge(ms: number): void;
  /**
   * Whether enough was counted since `mustWait` was last asked to ask it again before the next message comes.
   */
  isDue(): boolean;
  /**
   * Asked before each message: undefined, and it may be read now; else `goOn` is called when to ask again,
   * unless the timer is cancelled. Throws MeshError 'exhausted' when the connection has asked for more than
   * its share for too long.
   */
  mustWait(bytes: number, goOn: () => void): Timer | undefined;
}

interface Waiter {
  readonly pace: ConnectionPace;
  readonly goOn: () => void;
  /** What it waits for is a slice, not all of a message. */
  readonly isSlice: boolean;
}

// What is counted without a look at the clock, at most, and what a connection may do before it is asked
// whether it has to wait: an ACK of State of the World comes in several pieces, and each look at a clock for
// each of 1,000 streams would be seen.
const uncountedMsMax = 0.2;
// Somebody in line has a turn at least this often: one that is charged for what a crowd shares does not wait
// for all of it.
const turnMsMax = 250;
// Of the processor, what is left to slices, whatever all have had: a turn each 250 ms would be a hundredth of
// it.
const sliceShare = 0.1;
// Who has had no more than this lately asks for little, however many wait.
const leastMs = 5;

/**
 * Lets no connection take the processor from the others. Requests that are dear are not refused but read
 * later: the client waits, as HTTP/2 lets it send no more than is read. A token bucket of processor time for
 * each connection, and one for all: while that is empty, those who ask for much wait in one line, and one
 * message is read of each in its turn.
 */
export class Paces {
  readonly #clock: Clock;
  readonly #limits: PaceLimits;
  readonly #paces = new WeakMap<object, ConnectionPace>();
  readonly #line = new Set<Waiter>();
  readonly #all: Spent;
  #timer: Timer | undefined;
  // What requests have taken in this turn of the event loop: a timer begins the next one.
  #loopUsedMs = 0;
  #loop = 0;
  #loopTimer: Timer | undefined;
  // When somebody in line had a turn last, or the line began.
  #turnAt = 0;
  /** How long after that somebody has one, whatever all have used. */
  #turnMs = turnMsMax;
  // Until then the dear leave the event loop to the others. What a change needs are several turns of it: each
  // would else be followed by a dear message, as long as all may take.
  #restUntil = 0;
  readonly #common: Common = {
    spent: (ms, begin, now) => this.#spent(ms, begin, now),
    waits: () => {
      this.waits += 1;
    },
    isScarce: (now) => this.#isHeld || this.#isFull() || this.#isOver(now),
    isHeld: () => this.#isHeld,
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
    this.#all = new Spent(limits.allBurstMs, limits.allShare, clock.now());
  }

  /** How many wait for their turn now. */
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

  /** The pace of a connection, one for all its streams. */
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
    if (ms >= this.#limits.loopMs) this.#restUntil = Math.max(this.#restUntil, now + ms);
    this.#loopTimer ??= this.#clock.after(0, this.#nextLoop);
  }

  readonly #nextLoop = (): void => {
    this.#loopTimer = undefined;
    this.#loopUsedMs = 0;
    this.#loop += 1;
  };

  /** Whether this turn of the event loop has done enough for requests: what else is ready comes first. */
  #isFull(): boolean {
    return this.#loopUsedMs >= this.#limits.loopMs;
  }

  /** Whether all have had more than their share, or one of them a long turn just now. */
  #isOver(now: number): boolean {
    return now < this.#restUntil || this.#all.overMs(now) > 0;
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
   * In how many milliseconds the next in line has its turn: when there is room, or, however little there is,
   * at last.
   */
  #msToNext(): number {
    const now = this.#clock.now();
    const room = Math.ceil(this.#all.overMs(now) / this.#limits.allShare);
    const rest = this.#restUntil - now;
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
      // However long one's message takes, as much time is left to those who do not wait.
      this.#turnMs = Math.max(
        waiter.isSlice ? Math.min(turnMsMax, took / sliceShare) : turnMsMax,
        took / this.#limits.allShare,
      );
    }
    const end = this.#clock.now();
    if (end > begin) this.#restUntil = Math.max(this.#restUntil, 2 * end - begin);
    this.#awaitTurn();
  };

  #awaitTurn(): void {
    if (this.#line.size === 0 || this.#isHeld) return;
    this.#timer ??= this.#clock.after(this.#msToNext(), this.#next);
  }
}

/** What a connection's pace needs of all of them. */
interface Common {
  spent(ms: number, begin: number, now: number): void;
  waits(): void;
  /** Whether all connections together have had more than their share, or are held. */
  isScarce(now: number): boolean;
  isHeld(): boolean;
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
  #overSince: number | undefined;
  #lately = 0;
  #latelyAt: number;
  #uncounted = 0;
  #sinceAsked = 0;
  // What it had of the turn of the event loop that it was served in last.
  #loop = -1;
  #loopMs = 0;
  // When it was told that the next message need not wait, if nothing was done since.
  #askedAt = -1;
  /** Its message is the next that is read. */
  hasTurn = false;

  constructor(clock: Clock, limits: PaceLimits, common: Common) {
    this.#clock = clock;
    this.#limits = limits;
    this.#common = common;
    this.#latelyAt = clock.now();
    this.#own = new Spent(limits.burstMs, limits.share, this.#latelyAt);
  }

  run(work: () => void): void {
    // What was asked just before has looked at the clock.
    const begin = this.#askedAt >= 0 ? this.#askedAt : this.#clock.now();
    this.#askedAt = -1;
    // No more than half of it is left: what came since was within the share.
    if (this.#own.usedMs(begin) < this.#limits.burstMs / 2) this.#overSince = undefined;
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
    const over = this.#own.overMs(now);
    if (over <= 0 || this.#common.isHeld()) return this.#common.queue({ pace: this, goOn, isSlice: true });
    this.#judge(now);
    this.#common.waits();
    return this.#clock.after(Math.ceil(over / this.#limits.share), goOn);
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
    const over = this.#own.overMs(now);
    if (over > 0) {
      this.#judge(now);
      this.#common.waits();
      return this.#clock.after(Math.ceil(over / this.#limits.share), goOn);
    }
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
