import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { Metadata, type ServerDuplexStream } from '@grpc/grpc-js';
import type { Clock, Timer } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { FrameReader, frameOf } from './frame.ts';
import type { Intake } from './intake.ts';
import type { Pace } from './pace.ts';

/** A call of grpc-js whose messages are bytes. */
export type Call = ServerDuplexStream<Buffer, Buffer>;

/** What becomes of what a call brings. */
export interface Receiver {
  /** Is given each message, a view that is good until it returns. */
  receive(message: Buffer): void;
  /** Is told the bytes of each read. */
  wasRead(bytes: number): void;
  /** Ends the call: a message is longer than may be. */
  refuse(error: MeshError): void;
  readonly intake: Intake;
  readonly pace: Pace;
  readonly clock: Clock;
}

/** The messages of one call, out; those that come in are given to the one who opened it. */
export interface Messages {
  write(message: Buffer): void;
  /** Whether something written has not gone out yet. */
  isClogged(): boolean;
}

/**
 * Reads and writes the messages of a call on its own HTTP/2 stream, where grpc-js lets it be found. For each message
 * and stream grpc-js would else copy it into a new frame (400 MB for 400 KB to 1,000 streams) and pass it through
 * two streams of objects, two promises and a pause (docs/decisions/020, 041). All else stays grpc-js's: connections,
 * metadata, deadlines, status, and all from the first message on that is compressed.
 */
export function openMessages(call: Call, receiver: Receiver): Messages {
  // Also where the HTTP/2 stream is read: starts the reading, and takes what goes through grpc-js.
  const mustWait = pacer(call, receiver, () => call.resume());
  call.on('data', (message: Buffer) => {
    receiver.intake.waiting(0);
    receiver.pace.run(() => receiver.receive(message));
    mustWait();
  });
  const http = httpStreamOf(below(call));
  if (http === undefined)
    return { write: (message) => void call.write(message), isClogged: () => call.writableLength > 0 };
  readFrames(http, receiver);
  return {
    write(message) {
      if (http.destroyed || http.closed || http.writableEnded) return;
      if (!http.headersSent) call.sendMetadata(new Metadata());
      // An error ends the stream, which grpc-js hears by itself.
      http.write(frameOf(message));
    },
    isClogged: () => http.writableLength > 0,
  };
}

/** The HTTP/2 connection of a call, where its stream is found. */
export function sessionOf(call: Call): ServerHttp2Session | undefined {
  return httpStreamOf(below(call))?.session as ServerHttp2Session | undefined;
}

/**
 * Closes a call's HTTP/2 stream once its status has gone out: a client that goes on sending is told to stop (RFC 9113, 8.1),
 * and holds nothing here.
 */
export function closeAfterStatus(call: Call): void {
  const http = httpStreamOf(below(call));
  if (http === undefined) return;
  const close = () => http.close(constants.NGHTTP2_NO_ERROR);
  if (http.writableFinished) close();
  else http.once('finish', close);
}

function below(call: Call): object | undefined {
  return (call as { call?: object }).call;
}

/**
 * The HTTP/2 stream of a call, where grpc-js's own call is the one right below. It has no public way to it; a test
 * holds that the pinned version has it.
 */
export function httpStreamOf(call: object | undefined): ServerHttp2Stream | undefined {
  const { stream } = (call ?? {}) as { stream?: ServerHttp2Stream };
  return typeof stream?.write === 'function' ? stream : undefined;
}

/** What can be kept from giving more. */
interface Source {
  pause(): unknown;
  once(event: 'close', fn: () => void): unknown;
}

/**
 * Keeps a source from giving more where its connection has had more than its share. What it returns does so, and `goOn` later;
 * it says whether there is to wait, or the call was ended for it.
 */
function pacer(source: Source, { pace, clock, refuse }: Receiver, goOn: () => void): () => boolean {
  let timer: Timer | undefined;
  source.once('close', () => timer?.cancel());
  return () => {
    try {
      const waitMs = pace.waitMs();
      if (waitMs === 0) return false;
      source.pause();
      timer?.cancel();
      timer = clock.after(waitMs, goOn);
    } catch (error) {
      refuse(MeshError.from(error));
    }
    return true;
  };
}

/** Reads in the place of grpc-js, up to the first frame that is better left to it; from there on it reads on. */
function readFrames(http: ServerHttp2Stream, receiver: Receiver): void {
  const [theirs, ...others] = http.listeners('data') as ((chunk: Buffer) => void)[];
  if (theirs === undefined || others.length > 0) return;
  const { intake, pace } = receiver;
  let waits = false;
  const mustWait = pacer(http, receiver, () => {
    waits = false;
    http.resume();
    taken(reader.goOn());
  });
  const reader = new FrameReader({
    bytesMax: () => intake.bytesMax(),
    take: (message) => pace.run(() => receiver.receive(message)),
    // What waits here to be read is not late.
    waiting: (bytes) => intake.waiting(waits ? 0 : bytes),
    mayGoOn: () => {
      waits = mustWait();
      return !waits;
    },
  });
  const taken = (rest: Buffer | undefined) => {
    if (rest === undefined) return;
    http.off('data', ours);
    if (rest[0] === 0) {
      http.on('data', () => {});
      const length = rest.readUInt32BE(1);
      receiver.refuse(
        new MeshError('exhausted', `a request has ${length} bytes: at most ${intake.bytesMax()} are read`),
      );
      return;
    }
    http.on('data', theirs);
    theirs(rest);
  };
  const ours = (chunk: Buffer) => {
    receiver.wasRead(chunk.length);
    taken(reader.read(chunk));
  };
  http.off('data', theirs);
  http.on('data', ours);
}
