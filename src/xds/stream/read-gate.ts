import type { SessionStream } from './session-host.ts';

/** Bytes that a stream may have unread beside the last response. */
export const unreadBytesMax = 2 ** 20;

/**
 * Stops a session from writing to a client that does not read. ACKs do not prove that it reads: nonces can be
 * guessed, and each answer to an unread response would buffer another one.
 */
export class ReadGate {
  readonly #stream: SessionStream;
  readonly #opened: () => void;
  #isAwaited = false;

  /** `opened` is called when the unread data has been read. */
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
