import type { ServerHttp2Stream } from 'node:http2';
import { unzipSync } from 'node:zlib';
import type { Timer } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import type { Pace } from '../admission/pace.ts';
import { type StreamWork, workOf } from '../admission/work.ts';
import type { Slices } from '../slices.ts';
import { FrameReader, frameOf, keepMessage } from '../wire/frame.ts';
import type { GrpcCall } from './call.ts';
import type { Intake } from './intake.ts';

/** Consumer of a call's input. */
interface Receiver {
  /** Takes each message; the view is valid until this returns. */
  receive(message: Buffer): void;
  /** Reports the bytes of each read. */
  wasRead(bytes: number): void;
  /** Reports each short, non-final piece of a message. */
  shortPieceCame(): void;
  /** Ends the call: a message is too long. */
  refuse(error: MeshError): void;
  readonly intake: Intake;
  readonly pace: Pace;
  /** Its requests count as heavy, however short they are. */
  isDear(): boolean;
}

/** Messages of a call: output, and control of the input. */
export interface Messages {
  write(message: Buffer): void;
  /** Bytes written and not yet sent. */
  unreadBytes(): number;
  /** Calls `fn` once all of them have been. */
  whenRead(fn: () => void): void;
  /** Calls `fn` once all received messages have been processed. */
  whenTaken(fn: () => void): void;
  /** Runs work in slices, each in its turn, and reads nothing more until all of it is done. */
  inSlices(work: Slices): void;
  /** Drops all further input. */
  stop(): void;
}

/**
 * Reads and writes the messages of a call on its HTTP/2 stream. A message to many streams is framed once
 * (docs/decisions/020); a received one is a view of the read buffer (041).
 */
export function openMessages(call: GrpcCall, receiver: Receiver): Messages {
  return new MessagesOfCall(call, receiver);
}

/** An input that can be paused. */
interface Source {
  pause(): unknown;
  once(event: 'close', fn: () => void): unknown;
}

/**
 * Pauses an input whose connection is above its share. The returned function is called before a message of so
 * many bytes: true means to wait (or that the call was ended), and `goOn` is called later.
 */
function pacer(
  source: Source,
  { pace, refuse, isDear }: Receiver,
  goOn: () => void,
): (bytes: number) => boolean {
  let timer: Timer | undefined;
  source.once('close', () => timer?.cancel());
  return (bytes) => {
    try {
      const wait = pace.mustWait(isDear() ? Number.POSITIVE_INFINITY : bytes, goOn);
      if (wait === undefined) return false;
      source.pause();
      timer?.cancel();
      timer = wait;
    } catch (error) {
      refuse(MeshError.from(error));
    }
    return true;
  };
}

// The base cost of a piece: a client may send a message byte by byte.
const pieceMs = 0.02;

const nothing = Buffer.alloc(0);

// A piece of fewer bytes than this is short.
const shortBytes = 64;

class MessagesOfCall implements Messages {
  readonly #call: GrpcCall;
  readonly #http: ServerHttp2Stream;
  readonly #receiver: Receiver;
  readonly #pace: Pace;
  #waits = false;
  #isStopped = false;
  // Bytes of the message whose work is unfinished.
  #workedBytes = 0;
  #taken: (() => void) | undefined;
  readonly #resume = () => {
    if (this.#isStopped) return;
    this.#waits = false;
    this.#workedBytes = 0;
    this.#http.resume();
    try {
      this.#reader.goOn();
    } catch (error) {
      this.#fail(error);
    }
    if (!this.#waits) this.#taken?.();
  };
  readonly #mustWait: (bytes: number) => boolean;
  readonly #work: StreamWork;
  readonly #reader: FrameReader;
  readonly #ours = (chunk: Buffer) => {
    this.#receiver.wasRead(chunk.length);
    this.#pace.charge(pieceMs);
    try {
      this.#reader.read(chunk);
    } catch (error) {
      this.#fail(error);
    }
    if (chunk.length < shortBytes && this.#reader.isWithin()) this.#receiver.shortPieceCame();
    if (!this.#waits && !this.#isStopped && this.#pace.isDue()) this.#waits = this.#mustWait(0);
  };

  constructor(call: GrpcCall, receiver: Receiver) {
    const { http } = call;
    this.#call = call;
    this.#http = http;
    this.#receiver = receiver;
    const { intake, pace } = receiver;
    this.#pace = pace;
    this.#mustWait = pacer(http, receiver, this.#resume);
    this.#work = workOf(pace, {
      isOver: () => this.#isStopped,
      wait: () => {
        this.#waits = true;
        http.pause();
      },
      resume: this.#resume,
      failed: (error) => this.#fail(error),
    });
    // Made once, as closures for each message are a part of what an ACK costs.
    let taken: Buffer = nothing;
    let isTakenCompressed = false;
    const receiveTaken = () => {
      if (isTakenCompressed) taken = inflated(taken, intake.inflatedBytesMax);
      receiver.receive(taken);
    };
    const runTaken = () => pace.run(receiveTaken);
    this.#reader = new FrameReader({
      bytesMax: (isCompressed) => intake.bytesMax(isCompressed),
      mayTake: (bytes, isCompressed) => {
        if (this.#isStopped || this.#work.isLeft()) return false;
        this.#waits = this.#mustWait(isCompressed ? inflatedMax(bytes, intake.inflatedBytesMax) : bytes);
        return !this.#waits;
      },
      take: (message, isCompressed) => {
        taken = message;
        isTakenCompressed = isCompressed;
        const isLeft = this.#work.take(runTaken);
        const { length } = taken;
        // It may be a view of a buffer of 64 KiB.
        taken = nothing;
        if (!isLeft) return;
        keepMessage(message);
        this.#workedBytes = length;
      },
      waiting: (bytes) => (this.#waits ? intake.held(bytes + this.#workedBytes) : intake.waiting(bytes)),
    });
    http.on('data', this.#ours);
  }

  unreadBytes(): number {
    return this.#http.destroyed ? 0 : this.#http.writableLength;
  }

  whenRead(fn: () => void): void {
    this.#http.once('drain', fn);
  }

  write(message: Buffer): void {
    this.#call.write(frameOf(message));
  }

  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#work.cancel();
    this.#http.off('data', this.#ours);
    // Input is dropped, so that the stream's end is seen.
    if (this.#http.destroyed) return;
    this.#http.on('data', ({ length }: Buffer) => {
      this.#receiver.wasRead(length);
      this.#pace.charge(pieceMs);
    });
    this.#http.resume();
  }

  inSlices(some: Slices): void {
    this.#work.add(some);
  }

  // A paused stream reports its end even while its last message waits here.
  whenTaken(fn: () => void): void {
    if (this.#waits) this.#taken = fn;
    else fn();
  }

  #fail(error: unknown): void {
    this.stop();
    this.#receiver.refuse(MeshError.from(error));
  }
}

// Similar names deflate to a tenth or a thirtieth; a ratio of a hundred is a decompression bomb.
const inflationMax = 100;
const inflatedBytesMin = 256 * 1024;

/** Limit on the inflated size of a compressed message. */
function inflatedMax(bytes: number, bytesMax: number): number {
  return Math.min(bytesMax, Math.max(inflatedBytesMin, inflationMax * bytes));
}

/** Inflates a gzip or deflate message. Throws MeshError if it is neither, or longer than `bytesMax`. */
function inflated(message: Buffer, bytesMax: number): Buffer {
  const most = inflatedMax(message.length, bytesMax);
  try {
    return unzipSync(message, { maxOutputLength: most });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new MeshError('exhausted', `a request has more than ${most} bytes when it is inflated`);
    throw new MeshError('invalid', 'a compressed request is neither gzip nor deflate', { cause });
  }
}
