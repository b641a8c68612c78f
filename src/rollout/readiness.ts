import type { Clock, Timer } from '../base/clock.ts';

/** What readiness needs. */
interface ReadinessOptions {
  /** Names of the conditions, as `/readyz` and the log show them. */
  readonly conditions: readonly string[];
  readonly clock: Clock;
}

/** Observer of readiness. */
interface ReadinessObserver {
  /** All conditions are met; called once. */
  onReady(): void;
  /** Whether new proxies are welcome, as `turnAway` decides: called on a change. */
  onWelcome(isWelcome: boolean): void;
  /**
   * Still waiting: called `firstMs` after the start, and from then on every `reminderMs` and on a change.
   * `forMs`: since the start.
   */
  onWaiting(waitingFor: readonly string[], forMs: number): void;
}

/** When the conditions waited for are reported first: a start that is shorter needs no words. */
const firstMs = 1_000;

/** How often they are reported again. */
const reminderMs = 10_000;

/**
 * The conditions of the first xDS answer (docs/ARCHITECTURE.md, "no answer before the whole picture"). They
 * have names, so that `/readyz` and the log can show which is missing.
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
    this.#reminder = clock.after(firstMs, () => this.#remind());
  }

  /** Replaces the observer. */
  observe(observer: ReadinessObserver): void {
    this.#observer = observer;
  }

  /** A condition is met. Once all are, it stays ready. */
  met(condition: string): void {
    if (!this.#waiting.delete(condition)) return;
    if (this.#waiting.size > 0) {
      if (this.#clock.now() - this.#since >= firstMs) this.#notifyIfReady();
      return;
    }
    this.#ready = true;
    this.#reminder.cancel();
    this.#observer?.onReady();
  }

  #notifyIfReady(): void {
    this.#observer?.onWaiting(this.waitingFor(), this.#clock.now() - this.#since);
  }

  #remind(): void {
    this.#notifyIfReady();
    this.#reminder = this.#clock.after(reminderMs, () => this.#remind());
  }

  /** Whether all conditions are met. */
  get ready(): boolean {
    return this.#ready;
  }

  /** The unmet conditions. */
  waitingFor(): readonly string[] {
    return [...this.#waiting];
  }

  /**
   * Directs new proxies elsewhere for a cause, with a message, or no longer (undefined). Connected ones are
   * served as before, as `ready` says.
   */
  turnAway(cause: string, words: string | undefined): void {
    const before = this.#turnedAway.size;
    if (words === undefined) this.#turnedAway.delete(cause);
    else this.#turnedAway.set(cause, words);
    const isWelcome = this.#turnedAway.size === 0;
    if (isWelcome !== (before === 0)) this.#observer?.onWelcome(isWelcome);
  }

  /** Why new proxies should go elsewhere; empty: they are welcome. */
  turnedAway(): readonly string[] {
    return [...this.#turnedAway.values()];
  }

  close(): void {
    this.#reminder.cancel();
  }
}
