import type { Clock, Timer } from '../../../base/clock.ts';

interface RoundsOptions {
  readonly clock: Clock;
  /** One round; resolves to the pause until the next, in milliseconds. Must not reject. */
  readonly round: () => Promise<number>;
}

/** Does something again and again, sooner when it is woken, and never twice at once. */
export class Rounds {
  readonly #options: RoundsOptions;
  readonly #signal: AbortSignal;
  #timer: Timer | undefined;
  #isRunning = false;
  #dueMs = Number.POSITIVE_INFINITY;

  /** Ends when the signal is aborted. */
  constructor(options: RoundsOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#timer?.cancel());
  }

  /** The next round begins `afterMs` from now at the latest; during one: another follows. */
  wake(afterMs = 0): void {
    const dueMs = this.#options.clock.now() + afterMs;
    if (dueMs >= this.#dueMs) return;
    this.#dueMs = dueMs;
    if (!this.#isRunning) this.#arm();
  }

  /** The first round, at once; resolves at its end. */
  async start(): Promise<void> {
    if (this.#isRunning || this.#signal.aborted) return;
    this.#timer?.cancel();
    this.#isRunning = true;
    this.#dueMs = Number.POSITIVE_INFINITY;
    const pauseMs = await this.#options.round();
    this.#isRunning = false;
    this.#dueMs = Math.min(this.#dueMs, this.#options.clock.now() + pauseMs);
    this.#arm();
  }

  #arm(): void {
    this.#timer?.cancel();
    if (this.#signal.aborted) return;
    const { clock } = this.#options;
    this.#timer = clock.after(Math.max(0, this.#dueMs - clock.now()), () => void this.start());
  }
}
