import { Bucket } from '../../base/bucket.ts';
import type { Clock } from '../../base/clock.ts';
import type { LogFields } from '../../base/log.ts';

/** Lines with one message that are logged at once, and each second beyond that. */
export const lineRates = { burst: 2_000, perSecond: 10 } as const;

// Nearly all messages are constants, and there are fewer than that.
const messagesMax = 500;

/**
 * How often each message is logged: proxies bring about lines as often as they like, by coming and going and
 * by refusing what they are sent, and a disk is not theirs to fill. Lines that are left out are counted in
 * the next with that message.
 */
export class LineRates {
  readonly #clock: Clock;
  readonly #kinds = new Map<string, { readonly bucket: Bucket; left: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The fields that a line has; undefined: it is left out. */
  pass(message: string, fields: LogFields = {}): LogFields | undefined {
    const now = this.#clock.now();
    const known = this.#kinds.get(message);
    const kind = known ?? { bucket: new Bucket(lineRates.burst, lineRates.perSecond, now), left: 0 };
    if (this.#kinds.size >= messagesMax) this.#kinds.clear();
    this.#kinds.set(message, kind);
    if (!kind.bucket.take(1, now)) {
      kind.left += 1;
      return undefined;
    }
    const { left } = kind;
    kind.left = 0;
    return left === 0 ? fields : { ...fields, notLogged: left };
  }
}
