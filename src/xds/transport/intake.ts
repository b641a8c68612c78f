import type { Clock, Timer } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';

/** Limits on unfinished and waiting messages. */
export interface IntakeLimits {
  /** Bytes of one message before the stream's node is known, and after. */
  readonly unknownBytesMax: number;
  readonly messageBytesMax: number;
  /**
   * Bytes of a compressed message, and of it once inflated, which costs its sender a thousandth of that. It
   * is inflated in one piece, and its blocks take time even if they are empty: 20 ms for 256 KiB.
   */
  readonly compressedBytesMax: number;
  readonly inflatedBytesMax: number;
  /** Bytes of messages that are unfinished or wait for processing, on one connection, and on all. */
  readonly connectionBytesMax: number;
  readonly allBytesMax: number;
  /**
   * From a message's first byte to its last, and from a stream's start to its first message, in milliseconds.
   */
  readonly messageMsMax: number;
}

/** Several times the needs of 30,000 Groups; docs/xds.md lists them. */
export const intakeLimits: IntakeLimits = {
  unknownBytesMax: 8 * 2 ** 20,
  // Admits a request of 100,000 names of 200 bytes.
  messageBytesMax: 32 * 2 ** 20,
  // Neither Envoy nor gRPC clients compress requests by default.
  compressedBytesMax: 256 * 2 ** 10,
  inflatedBytesMax: 8 * 2 ** 20,
  connectionBytesMax: 64 * 2 ** 20,
  allBytesMax: 256 * 2 ** 20,
  messageMsMax: 30_000,
};

/** The account of one stream's input. */
export interface Intake {
  /** Limit on the next message, in bytes. */
  bytesMax(isCompressed: boolean): number;
  /** The same for a compressed one, once inflated. */
  readonly inflatedBytesMax: number;
  /** The node is known. */
  known(): void;
  /** Bytes of a partly received message; 0: it is complete, or none has begun. */
  waiting(bytes: number): void;
  /** Bytes of messages that wait for processing here: the client is not late. */
  held(bytes: number): void;
  close(): void;
}

interface Entry {
  readonly connection: object;
  readonly refuse: (error: MeshError) => void;
  bytes: number;
  /** Since when the rest of a message is awaited, if it is. */
  since: number | undefined;
}

const lookMs = 1_000;
// Above the total limit, streams are ended until this part of it is in use.
const roomyPart = 7 / 8;

/**
 * Limits the bytes of messages that are unfinished or wait for processing, on each connection and on all, and
 * the time for one to arrive. Above a limit the stream with most bytes is ended, so that clients that send
 * little are not refused because of those that send much.
 */
export class Intakes {
  readonly #clock: Clock;
  readonly #limits: IntakeLimits;
  readonly #entries = new Set<Entry>();
  readonly #byConnection = new Map<object, number>();
  #all = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock, limits: IntakeLimits = intakeLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Bytes of all messages that are unfinished or wait for processing. */
  get bytes(): number {
    return this.#all;
  }

  /** A stream begins on a connection; `refuse` ends it. */
  open(connection: object, refuse: (error: MeshError) => void): Intake {
    const entry: Entry = { connection, refuse, bytes: 0, since: this.#clock.now() };
    this.#entries.add(entry);
    this.#timer ??= this.#clock.after(lookMs, this.#look);
    const { compressedBytesMax, unknownBytesMax } = this.#limits;
    let bytesMax = unknownBytesMax;
    const keep = (bytes: number, since: number | undefined) => {
      if (!this.#entries.has(entry)) return;
      entry.since = since;
      this.#count(entry, bytes);
      this.#hold(entry);
    };
    return {
      bytesMax: (isCompressed) => (isCompressed ? Math.min(compressedBytesMax, bytesMax) : bytesMax),
      inflatedBytesMax: this.#limits.inflatedBytesMax,
      known: () => {
        bytesMax = this.#limits.messageBytesMax;
      },
      waiting: (bytes) => {
        // Most reads are one whole message: nothing was counted, and nothing is.
        if (bytes === 0 && entry.bytes === 0) entry.since = undefined;
        else keep(bytes, bytes === 0 ? undefined : (entry.since ?? this.#clock.now()));
      },
      held: (bytes) => keep(bytes, undefined),
      close: () => this.#forget(entry),
    };
  }

  #count(entry: Entry, bytes: number): void {
    const more = bytes - entry.bytes;
    if (more === 0) return;
    entry.bytes = bytes;
    this.#all += more;
    const here = (this.#byConnection.get(entry.connection) ?? 0) + more;
    if (here === 0) this.#byConnection.delete(entry.connection);
    else this.#byConnection.set(entry.connection, here);
  }

  #forget(entry: Entry): void {
    if (!this.#entries.delete(entry)) return;
    this.#count(entry, 0);
  }

  #hold({ connection }: Entry): void {
    const { connectionBytesMax, allBytesMax } = this.#limits;
    if ((this.#byConnection.get(connection) ?? 0) > connectionBytesMax)
      this.#endLargest(`this connection has more than ${connectionBytesMax} bytes of them`, connection);
    if (this.#all > allBytesMax) this.#makeRoom();
  }

  /**
   * Ends the largest streams until there is some room: ending one at a time would scan all of them for each
   * piece.
   */
  #makeRoom(): void {
    const { allBytesMax } = this.#limits;
    const why = `all clients have more than ${allBytesMax} bytes of them`;
    for (const entry of [...this.#entries].sort((a, b) => b.bytes - a.bytes)) {
      if (this.#all <= allBytesMax * roomyPart) return;
      this.#endOne(entry, why);
    }
  }

  #endLargest(why: string, connection: object): void {
    let largest: Entry | undefined;
    for (const entry of this.#entries) {
      if (entry.connection !== connection) continue;
      if (largest === undefined || entry.bytes > largest.bytes) largest = entry;
    }
    if (largest !== undefined) this.#endOne(largest, why);
  }

  #endOne(entry: Entry, why: string): void {
    this.#end(
      entry,
      'exhausted',
      `too many bytes of messages are unfinished or wait for processing: ${why}, and this stream the most`,
    );
  }

  #end(entry: Entry, code: 'exhausted' | 'late', message: string): void {
    this.#forget(entry);
    entry.refuse(new MeshError(code, message));
  }

  readonly #look = () => {
    const late = this.#clock.now() - this.#limits.messageMsMax;
    for (const entry of this.#entries)
      if (entry.since !== undefined && entry.since <= late)
        this.#end(entry, 'late', `no whole message within ${this.#limits.messageMsMax} ms`);
    this.#timer = this.#entries.size === 0 ? undefined : this.#clock.after(lookMs, this.#look);
  };
}
