/** What is kept of an answer: a response with its bytes, or that nothing is to be said. */
export interface Answered {
  readonly send: boolean;
  readonly bytes?: Uint8Array;
}

/** Bytes of all answers that are kept, of all groups of a server. */
export interface AnswerBytes {
  bytes: number;
}

// A longer response stays only while it is under way to somebody: what a stream that begins later is sent is
// put together again from parts that stay.
const keptBytesMax = 64 * 1024;
// States of a group of which the answer is kept.
const statesMax = 64;
/** All answers that are kept, of all groups: what is over it stays as a longer one does. */
export const answerBytesMax = 64 * 2 ** 20;
// An answer without its text and bytes.
const answerBytes = 500;

interface Kept<A extends object> {
  readonly answer: A | WeakRef<A>;
  readonly bytes: number;
}

/**
 * Answers to the members of a group, by the state that a member stands in. A client can bring about as many
 * states as it likes: of each group the last ones are kept, and of all groups so many bytes.
 */
export class Answers<A extends Answered> {
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

  set(state: string, answer: A): void {
    this.#drop(state);
    const [oldest] = this.#kept.size >= statesMax ? this.#kept.keys() : [];
    if (oldest !== undefined) this.#drop(oldest);
    const own = answerBytes + 2 * state.length;
    const whole = own + (answer.bytes?.length ?? 0);
    const isShort = (answer.bytes?.length ?? 0) <= keptBytesMax;
    const isStrong = isShort && this.#all.bytes + whole <= answerBytesMax;
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
