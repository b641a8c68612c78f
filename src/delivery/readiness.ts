/**
 * What must have happened before the first xDS answer (docs/ARCHITECTURE.md, "no answer before the whole picture"). Conditions are named,
 * so that `/readyz` and the log can say what is being waited for.
 */
export class Readiness {
  readonly #waiting = new Set<string>();
  readonly #onReady: () => void;
  #ready = false;

  constructor(conditions: readonly string[], onReady: () => void) {
    for (const condition of conditions) this.#waiting.add(condition);
    this.#onReady = onReady;
  }

  /** A condition holds now. Once all do, `onReady` is called, once; readiness never goes back. */
  met(condition: string): void {
    this.#waiting.delete(condition);
    if (this.#ready || this.#waiting.size > 0) return;
    this.#ready = true;
    this.#onReady();
  }

  /** Whether everything has been met. */
  get ready(): boolean {
    return this.#ready;
  }

  /** What is still being waited for. */
  waitingFor(): readonly string[] {
    return [...this.#waiting];
  }
}
