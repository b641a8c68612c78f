import { type Clock, sleep, systemClock, type Timer } from '../../base/clock.ts';
import { yieldToEventLoop } from '../../base/yield-to-event-loop.ts';

interface NoAnswerOptions {
  readonly isAway?: boolean;
  readonly isSilence?: boolean;
  readonly cause?: unknown;
}

/** Why an answer did not come. */
export class NoAnswer extends Error {
  /** Whether nothing accepts connections there. */
  readonly isAway: boolean;
  /** Whether it did not come in time. */
  readonly isSilence: boolean;

  constructor(message: string, { isAway = false, isSilence = false, cause }: NoAnswerOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.isAway = isAway;
    this.isSilence = isSilence;
  }
}

/** Limits of the wait for an answer. Times in milliseconds. */
interface SilenceLimits {
  /** Longest time without a byte, before and within the answer. */
  readonly silenceMsMax: number;
  /** Longest time for the complete answer. */
  readonly wholeMsMax: number;
  /**
   * Asks the server for a sign of life; false: it gave none within `withinMs`. Asked from `heldMs` on, for
   * which the server may hold its answer on purpose. Absent: nobody is asked.
   */
  readonly life?: {
    readonly heldMs: number;
    isAlive(withinMs: number, signal: AbortSignal): Promise<boolean>;
  };
  /** Whether the server has accepted a connection. */
  isConnected(): boolean;
  readonly clock?: Clock;
}

/** When a server is asked for a sign of life, and when one that gives none is given up. Milliseconds. */
const lifeLimits = { askAfterMs: 1_000, hangsAfterMs: 3_000 } as const;

/**
 * Watches the wait for one answer, by this machine's clock: the timers of the HTTP client count ticks, which
 * come late while the process is busy.
 */
export class SilenceWatch {
  readonly #limits: SilenceLimits;
  readonly #clock: Clock;
  readonly #begun: number;
  readonly #late = new AbortController();
  readonly #over = new AbortController();
  readonly #timers = new Map<'silence' | 'whole', Timer>();
  #heardAt: number;
  #isHeard = false;
  /** Whether it has answered something else meanwhile. */
  #isAlive = false;

  constructor(limits: SilenceLimits) {
    this.#limits = limits;
    this.#clock = limits.clock ?? systemClock;
    this.#begun = this.#clock.now();
    this.#heardAt = this.#begun;
    this.#await('silence', limits.silenceMsMax);
    this.#await('whole', limits.wholeMsMax);
    if (limits.life !== undefined) void this.#watchLife(limits.life);
  }

  /** Aborted with a NoAnswer when the wait is over. */
  get signal(): AbortSignal {
    return this.#late.signal;
  }

  /** A part of the answer has come. */
  heard(): void {
    this.#isHeard = true;
    this.#heardAt = this.#clock.now();
  }

  /** The answer is complete, or no longer waited for. */
  close(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#over.abort();
  }

  #await(limit: 'silence' | 'whole', ms: number): void {
    this.#timers.set(
      limit,
      this.#clock.after(ms, () => void this.#check(limit)),
    );
  }

  async #check(limit: 'silence' | 'whole'): Promise<void> {
    // What came while this process was busy is read first.
    await yieldToEventLoop();
    if (this.#over.signal.aborted) return;
    const { silenceMsMax, wholeMsMax } = this.#limits;
    const leftMs = this.#heardAt + silenceMsMax - this.#clock.now();
    if (limit === 'silence' && leftMs > 0) this.#await(limit, leftMs);
    else if (!this.#isHeard) this.#giveUp(this.#silenceText());
    else if (limit === 'whole') this.#giveUp(`its answer is incomplete after ${wholeMsMax / 1_000} s`);
    else this.#giveUp(`its answer has stopped for ${silenceMsMax / 1_000} s`);
  }

  /** While nothing is heard, asks for a sign of life again and again. */
  async #watchLife({ heldMs, isAlive }: NonNullable<SilenceLimits['life']>): Promise<void> {
    const { askAfterMs, hangsAfterMs } = lifeLimits;
    const { signal } = this.#over;
    let waitMs = heldMs + askAfterMs;
    for (;;) {
      await sleep(this.#clock, waitMs, signal).catch(() => {});
      if (signal.aborted || this.#isHeard) return;
      const isWell = await isAlive(hangsAfterMs - askAfterMs, signal);
      if (signal.aborted || this.#isHeard) return;
      if (!isWell) return this.#giveUp(this.#silenceText());
      this.#isAlive = true;
      waitMs = hangsAfterMs;
    }
  }

  #silenceText(): string {
    const waitedMs = this.#clock.now() - this.#begun;
    const seconds = `${Math.round(waitedMs / 100) / 10} s`;
    if (this.#isAlive) return `it is alive and has not answered this for ${seconds}`;
    if (!this.#limits.isConnected()) return `it has not accepted the connection for ${seconds}`;
    const verdict =
      waitedMs < lifeLimits.askAfterMs ? '' : ': it hangs (a process that is stopped, or overloaded)';
    return `it accepts connections and has not answered for ${seconds}${verdict}`;
  }

  #giveUp(why: string): void {
    this.close();
    this.#late.abort(new NoAnswer(why, { isSilence: true }));
  }
}
