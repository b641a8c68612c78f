import type { Clock } from '../../base/clock.ts';
import type { LogFields } from '../../base/log.ts';
import { TokenBucket } from '../../base/token-bucket.ts';

/** Lines of one message logged at once, and each second beyond that. */
export const lineRates = { burst: 2_000, perSecond: 10 } as const;

// Nearly all messages are constants, of which there are fewer.
const messagesMax = 500;

/**
 * Limits the rate of each message: proxies can cause lines at any rate, by reconnecting and by NACKs, and
 * must not fill the disk. Dropped lines are counted in the next with that message.
 */
export class LineRates {
  readonly #clock: Clock;
  readonly #kinds = new Map<string, { readonly bucket: TokenBucket; linesLeft: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The fields of the line; undefined: it is dropped. */
  pass(message: string, fields: LogFields = {}): LogFields | undefined {
    const now = this.#clock.now();
    const known = this.#kinds.get(message);
    const kind = known ?? {
      bucket: new TokenBucket(lineRates.burst, lineRates.perSecond, now),
      linesLeft: 0,
    };
    if (this.#kinds.size >= messagesMax) this.#kinds.clear();
    this.#kinds.set(message, kind);
    if (!kind.bucket.take(1, now)) {
      kind.linesLeft += 1;
      return undefined;
    }
    const { linesLeft: left } = kind;
    kind.linesLeft = 0;
    return left === 0 ? fields : { ...fields, notLogged: left };
  }
}
