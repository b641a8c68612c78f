import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import { Metadata, type ServerDuplexStream } from '@grpc/grpc-js';
import { FrameReader, frameOf } from './frame.ts';

/** A call of grpc-js whose messages are bytes. */
export type Call = ServerDuplexStream<Buffer, Buffer>;

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
 * metadata, deadlines, status, and each message that is compressed or has more than `messageBytesMax`.
 *
 * `receive` is given each message, a view that is good until it returns; `wasRead` the bytes of each read.
 */
export function openMessages(
  call: Call,
  messageBytesMax: number,
  receive: (message: Buffer) => void,
  wasRead: (bytes: number) => void,
): Messages {
  // Also where the HTTP/2 stream is read: starts the reading, and takes what goes through grpc-js.
  call.on('data', receive);
  const http = httpStreamOf(below(call));
  if (http === undefined)
    return { write: (message) => void call.write(message), isClogged: () => call.writableLength > 0 };
  readFrames(http, new FrameReader(messageBytesMax, receive), wasRead);
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

/** Reads in the place of grpc-js, up to the first frame that is better left to it; from there on it reads on. */
function readFrames(http: ServerHttp2Stream, reader: FrameReader, wasRead: (bytes: number) => void): void {
  const [theirs, ...others] = http.listeners('data') as ((chunk: Buffer) => void)[];
  if (theirs === undefined || others.length > 0) return;
  const ours = (chunk: Buffer) => {
    wasRead(chunk.length);
    const rest = reader.read(chunk);
    if (rest === undefined) return;
    http.off('data', ours);
    http.on('data', theirs);
    theirs(rest);
  };
  http.off('data', theirs);
  http.on('data', ours);
}
