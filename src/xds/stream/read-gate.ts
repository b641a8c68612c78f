import type { SessionStream } from './session-host.ts';

/** Bytes that may wait to be read on a stream beside the last response. */
export const unreadBytesMax = 2 ** 20;

/**
 * Keeps a session from writing more to a client that does not read. Its answers do not show it: nonces can be
 * guessed, and what is answered unread would be kept once more for each answer.
 */
export class ReadGate {
  readonly #stream: SessionStream;
  readonly #opened: () => void;
  #isAwaited = false;

  /** `opened` is called when all was read that shut it. */
  constructor(stream: SessionStream, opened: () => void) {
    this.#stream = stream;
    this.#opened = opened;
  }

  isShut(): boolean {
    if (this.#stream.unreadBytes() <= unreadBytesMax) return false;
    if (!this.#isAwaited)
      this.#stream.whenRead(() => {
        this.#isAwaited = false;
        this.#opened();
      });
    this.#isAwaited = true;
    return true;
  }
}
