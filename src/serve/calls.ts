import { MeshError } from '../base/error.ts';
import { shown } from '../base/shown.ts';
import type { Stream, StreamHandler } from './server.ts';

const refusalBytesMax = 1_024;

/** Why a stream is refused, fit for its trailers and the log: what a client wrote may be quoted in it. */
export function refusal(reason: unknown): MeshError {
  const { code, message, cause } = MeshError.from(reason);
  return new MeshError(code, shown(message, refusalBytesMax), { cause });
}

// What a client has asked for and does not read.
const unreadBytesMax = 8 * 2 ** 20;

/** Opens calls of one request and one answer. What `answer` throws ends the call. */
export function unary(answer: (request: Buffer) => Buffer): (stream: Stream) => StreamHandler {
  return (stream) => ({
    ...answering(stream, (request) => {
      stream.write(answer(request));
      stream.end();
    }),
    halfClosed: () => stream.refuse(new MeshError('invalid', 'there is no request')),
  });
}

/** Opens streams on which each request is answered, in order. What `answer` throws ends the stream. */
export function conversation(answer: (request: Buffer) => Buffer): (stream: Stream) => StreamHandler {
  return (stream) => {
    let unreadBytes = 0;
    return answering(stream, (request) => {
      if (!stream.isClogged()) unreadBytes = 0;
      if (unreadBytes > unreadBytesMax)
        throw new MeshError(
          'exhausted',
          `more than ${unreadBytesMax} bytes of answers are not read: read them first`,
        );
      const bytes = answer(request);
      unreadBytes += bytes.length;
      stream.write(bytes);
    });
  };
}

/** What takes requests; what `take` throws ends the stream. */
export function answering(stream: Stream, take: (request: Buffer) => void): StreamHandler {
  return {
    receive(bytes) {
      try {
        take(bytes);
      } catch (reason) {
        stream.refuse(refusal(reason));
      }
    },
    closed() {},
  };
}
