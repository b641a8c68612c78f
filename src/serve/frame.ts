import type { ServerHttp2Stream } from 'node:http2';
import {
  Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from '@grpc/grpc-js';

/**
 * A gRPC message as it stands on the wire: one byte that says "not compressed", four of length, the message.
 * (gRPC over HTTP/2, "Length-Prefixed-Message".)
 */
export type Frame = Buffer;

const headBytes = 5;
const frames = new WeakMap<Buffer, Frame>();

/** The frame of a message, made once, whoever is sent it. The message must not be changed afterwards. */
export function frameOf(message: Buffer): Frame {
  const known = frames.get(message);
  if (known !== undefined) return known;
  const frame = Buffer.allocUnsafe(headBytes + message.length);
  frame.writeUInt8(0, 0);
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, headBytes);
  frames.set(message, frame);
  return frame;
}

/** The message in a frame, as a view. */
export function messageOf(frame: Frame): Buffer {
  return frame.subarray(headBytes);
}

/**
 * Writes frames as they are. grpc-js itself would copy each message into a new frame for each stream, which is
 * 400 MB for 400 KB to 1,000 streams (docs/decisions/020). It has no public way to hand it a frame, so the HTTP/2
 * stream is taken from the call below, where a test holds that it is; should it not be there, the message is
 * written by grpc-js, copy and all.
 */
export const writeFrames: ServerInterceptor = (_, call) => new FrameCall(call);

/** The HTTP/2 stream of a call, where grpc-js's own call is the one below. */
export function httpStreamOf(call: ServerInterceptingCallInterface): ServerHttp2Stream | undefined {
  const { stream } = call as { stream?: ServerHttp2Stream };
  return typeof stream?.write === 'function' ? stream : undefined;
}

class FrameCall extends ServerInterceptingCall {
  private readonly stream: ServerHttp2Stream | undefined;
  private begun = false;

  constructor(below: ServerInterceptingCallInterface) {
    super(below);
    this.stream = httpStreamOf(below);
  }

  override sendMetadata(metadata: Metadata): void {
    this.begun = true;
    super.sendMetadata(metadata);
  }

  override sendMessage(frame: Frame, callback: () => void): void {
    const { stream } = this;
    if (stream === undefined) super.sendMessage(messageOf(frame), callback);
    else if (!stream.destroyed && !stream.closed) {
      if (!this.begun) this.sendMetadata(new Metadata());
      // An error ends the stream, which grpc-js hears by itself.
      stream.write(frame, (error) => error ?? callback());
    }
  }
}
