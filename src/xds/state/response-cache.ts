/** What is kept of an answer: a response with its bytes, or that nothing has to be sent. */
export interface Answered {
  readonly send: boolean;
  readonly bytes?: Uint8Array;
}

/** Bytes of all cached answers, of all groups of a server. */
export interface AnswerBytes {
  bytes: number;
}

// A longer response is kept only while it is in flight on some stream; a later stream gets one assembled
// again from resources that are kept.
const keptBytesMax = 64 * 1024;
// Cached answers per group.
const statesMax = 64;
/** All cached answers of all groups; beyond it an answer is kept only as a longer one is. */
export const answerBytesMax = 64 * 2 ** 20;
// Estimated size of an answer without its text and bytes.
const answerBytes = 500;

interface Kept<A extends object> {
  readonly answer: A | WeakRef<A>;
  readonly bytes: number;
}

/**
 * Cached answers to the members of a group, by a member's state. Clients can produce any number of states:
 * the last ones of each group are kept, within a total of bytes.
 */
export class ResponseCache<A extends Answered> {
  readonly #kept = new Map<string, Kept<A>>();
  readonly #all: AnswerBytes;

  constructor(all: AnswerBytes) {
    this.#all = all;
  }

  get size(): number {
    return this.#kept.size;
  }

  get(state: string): A | undefined {
    const { answer } = this.#kept.get(state) ?? {};
    return answer instanceof WeakRef ? answer.deref() : answer;
  }

  /**
   * `isShared`: several members may come to this state; else the answer is kept only while it is in flight.
   */
  set(state: string, answer: A, isShared = true): void {
    this.#drop(state);
    const [oldest] = this.#kept.size >= statesMax ? this.#kept.keys() : [];
    if (oldest !== undefined) this.#drop(oldest);
    const own = answerBytes + 2 * state.length;
    const whole = own + (answer.bytes?.length ?? 0);
    const isShort = (answer.bytes?.length ?? 0) <= keptBytesMax;
    const isStrong = isShared && isShort && this.#all.bytes + whole <= answerBytesMax;
    if (own > keptBytesMax || (!isStrong && this.#all.bytes + own > 2 * answerBytesMax)) return;
    const bytes = isStrong ? whole : own;
    this.#all.bytes += bytes;
    this.#kept.set(state, { answer: isStrong ? answer : new WeakRef(answer), bytes });
  }

  clear(): void {
    if (this.#kept.size === 0) return;
    for (const { bytes } of this.#kept.values()) this.#all.bytes -= bytes;
    this.#kept.clear();
  }

  #drop(state: string): void {
    const known = this.#kept.get(state);
    if (known === undefined) return;
    this.#all.bytes -= known.bytes;
    this.#kept.delete(state);
  }
}
