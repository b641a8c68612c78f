import type { Clock, Timer } from '../base/clock.ts';

/** What readiness needs. */
interface ReadinessOptions {
  /** Names of what must have happened, as `/readyz` and the log show them. */
  readonly conditions: readonly string[];
  readonly clock: Clock;
}

/** What is told of readiness. */
interface ReadinessObserver {
  /** All has been met; called once. */
  onReady(): void;
  /** Whether new proxies may come, for all that `turnAway` says: called when that changes. */
  onWelcome(isWelcome: boolean): void;
  /** Still waiting: called when that changes, and again every `reminderMs`. `forMs`: since the start. */
  onWaiting(waitingFor: readonly string[], forMs: number): void;
}

/** How often what is waited for is told again. */
const reminderMs = 10_000;

/**
 * What must have happened before the first xDS answer (docs/ARCHITECTURE.md, "no answer before the whole
 * picture"). Conditions are named, so that `/readyz` and the log can say what is being waited for.
 */
export class Readiness {
  readonly #waiting: Set<string>;
  readonly #clock: Clock;
  readonly #since: number;
  readonly #turnedAway = new Map<string, string>();
  #observer: ReadinessObserver | undefined;
  #reminder: Timer;
  #ready = false;

  constructor({ conditions, clock }: ReadinessOptions) {
    this.#clock = clock;
    this.#waiting = new Set(conditions);
    this.#since = clock.now();
    this.#reminder = clock.after(reminderMs, () => this.#remind());
  }

  /** Tells this one from now on, in place of another. */
  observe(observer: ReadinessObserver): void {
    this.#observer = observer;
  }

  /** A condition holds now. Once all do, it is ready, and stays so. */
  met(condition: string): void {
    if (!this.#waiting.delete(condition)) return;
    if (this.#waiting.size > 0) {
      this.#tell();
      return;
    }
    this.#ready = true;
    this.#reminder.cancel();
    this.#observer?.onReady();
  }

  #tell(): void {
    this.#observer?.onWaiting(this.waitingFor(), this.#clock.now() - this.#since);
  }

  #remind(): void {
    this.#tell();
    this.#reminder = this.#clock.after(reminderMs, () => this.#remind());
  }

  /** Whether everything has been met. */
  get ready(): boolean {
    return this.#ready;
  }

  /** What is still being waited for. */
  waitingFor(): readonly string[] {
    return [...this.#waiting];
  }

  /**
   * Says that new proxies are to go elsewhere for a cause, in words, or no longer (undefined). Those that are
   * there are answered as before: `ready` says that.
   */
  turnAway(cause: string, words: string | undefined): void {
    const before = this.#turnedAway.size;
    if (words === undefined) this.#turnedAway.delete(cause);
    else this.#turnedAway.set(cause, words);
    const isWelcome = this.#turnedAway.size === 0;
    if (isWelcome !== (before === 0)) this.#observer?.onWelcome(isWelcome);
  }

  /** Why new proxies are to go elsewhere; empty: they may come. */
  turnedAway(): readonly string[] {
    return [...this.#turnedAway.values()];
  }

  close(): void {
    this.#reminder.cancel();
  }
}
