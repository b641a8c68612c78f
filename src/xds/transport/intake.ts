import type { Clock, Timer } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';

/** What clients may leave unfinished, and have wait for its turn. */
export interface IntakeLimits {
  /** Bytes of one message before the stream has said who it is, and after. */
  readonly unknownBytesMax: number;
  readonly messageBytesMax: number;
  /** Bytes of a message that came compressed, once it is not: they cost their sender a thousandth of that. */
  readonly inflatedBytesMax: number;
  /** Bytes of messages that are unfinished or wait for their turn, on one connection, and on all. */
  readonly connectionBytesMax: number;
  readonly allBytesMax: number;
  /**
   * From a message's first byte to its last, and from the beginning of a stream to its first message, in
   * milliseconds.
   */
  readonly messageMsMax: number;
}

/** Several times what 30,000 Groups need; docs/xds.md has them as a table. */
export const intakeLimits: IntakeLimits = {
  unknownBytesMax: 8 * 2 ** 20,
  // A request of 100,000 names of 200 bytes is still read.
  messageBytesMax: 32 * 2 ** 20,
  // Envoy and gRPC clients compress no requests by themselves.
  inflatedBytesMax: 8 * 2 ** 20,
  connectionBytesMax: 64 * 2 ** 20,
  allBytesMax: 256 * 2 ** 20,
  messageMsMax: 30_000,
};

/** One stream's unfinished message. */
export interface Intake {
  /** Most bytes that the next message may have. */
  bytesMax(): number;
  /** The same of one that comes compressed, when it is inflated. */
  readonly inflatedBytesMax: number;
  /** The stream has said who it is. */
  known(): void;
  /** So many bytes of a message wait for the rest of it; 0: it has come whole, or none has begun. */
  waiting(bytes: number): void;
  /** So many bytes of messages wait here for their turn, or are worked on: their client is not late. */
  held(bytes: number): void;
  close(): void;
}

interface Entry {
  readonly connection: object;
  readonly refuse: (error: MeshError) => void;
  bytes: number;
  /** Since when a message is awaited; undefined: none is. */
  since: number | undefined;
}

const lookMs = 1_000;
// Where all is full, so much of it is left to those who have less.
const roomyPart = 7 / 8;

/**
 * Bounds what messages hold that are unfinished or wait for their turn, on each connection and on all, and
 * how long they may take to come whole. Where it is too much, the stream that holds most ends: who sends
 * little is not refused for who sends much.
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

  /** Bytes of all messages that are unfinished or wait for their turn. */
  get bytes(): number {
    return this.#all;
  }

  /** A stream begins, on a connection; `refuse` ends it. */
  open(connection: object, refuse: (error: MeshError) => void): Intake {
    const entry: Entry = { connection, refuse, bytes: 0, since: this.#clock.now() };
    this.#entries.add(entry);
    this.#timer ??= this.#clock.after(lookMs, this.#look);
    let bytesMax = this.#limits.unknownBytesMax;
    const keep = (bytes: number, since: number | undefined) => {
      if (!this.#entries.has(entry)) return;
      entry.since = since;
      this.#count(entry, bytes);
      this.#hold(entry);
    };
    return {
      bytesMax: () => bytesMax,
      inflatedBytesMax: this.#limits.inflatedBytesMax,
      known: () => {
        bytesMax = this.#limits.messageBytesMax;
      },
      waiting: (bytes) => keep(bytes, bytes === 0 ? undefined : (entry.since ?? this.#clock.now())),
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
   * Ends the largest of all until some room is left: to end one would be a look at all of them for each piece
   * that comes.
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
      `too much is unfinished, or waits for its turn: ${why}, and this stream the most`,
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
