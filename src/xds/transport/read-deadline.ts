import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Clock, Timer } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';

// Time for a client to read the last bytes of an ended stream and its status.
const partingMsMax = 10_000;
// A longer answer must be read at this rate at least: 32 MiB in 138 s.
const bytesPerMs = (256 * 2 ** 10) / 1_000;

/** Resets a stream whose client does not read what was written: else it stays as long as its connection. */
function reset(http: ServerHttp2Stream): void {
  http.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
}

/** Resets an ended stream whose client does not read the rest, and its status, within 10 s. */
export function closeUnread(http: ServerHttp2Stream, clock: Clock): void {
  const timer = clock.after(partingMsMax, () => reset(http));
  http.once('close', () => timer.cancel());
}

/**
 * The time limit for reading answers that exceed the stream's write buffer: 10 s, and a second for each 256
 * KiB. A client that reads a byte now and then gets no more time than one that reads nothing.
 */
export class ReadDeadline {
  readonly #http: ServerHttp2Stream;
  readonly #clock: Clock;
  readonly #late: (error: MeshError) => void;
  #timer: Timer | undefined;
  #startedAt = 0;
  #until = 0;

  /** `late` is called before the stream is reset. */
  constructor(http: ServerHttp2Stream, clock: Clock, late: (error: MeshError) => void) {
    this.#http = http;
    this.#clock = clock;
    this.#late = late;
    http.on('drain', () => this.#stop());
    http.once('close', () => this.#stop());
  }

  /** So many more bytes must be read in time, unless the write buffer has room for them. */
  expect(bytes: number): void {
    if (this.#http.destroyed || !this.#http.writableNeedDrain) return;
    const now = this.#clock.now();
    if (this.#timer === undefined) {
      this.#startedAt = now;
      this.#until = now + partingMsMax;
    }
    this.#until += bytes / bytesPerMs;
    this.#timer?.cancel();
    this.#timer = this.#clock.after(this.#until - now, () => {
      const ms = Math.round(this.#until - this.#startedAt);
      this.#late(
        new MeshError('late', `${this.#http.writableLength} bytes of answers were not read within ${ms} ms`),
      );
      reset(this.#http);
    });
  }

  /** Whether a limit is running. */
  get isRunning(): boolean {
    return this.#timer !== undefined;
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
