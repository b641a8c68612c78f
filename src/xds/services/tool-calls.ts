import { MeshError } from '../../base/error.ts';
import { shown } from '../../base/shown.ts';
import type { Stream, StreamHandler } from '../transport/grpc-server.ts';

const refusalBytesMax = 1_024;

/** Why a stream is refused, fit for its trailers and the log: what a client wrote may be quoted in it. */
export function refusal(reason: unknown): MeshError {
  const { code, message, cause } = MeshError.from(reason);
  return new MeshError(code, shown(message, refusalBytesMax), { cause });
}

// A name, or some conditions on nodes.
const requestBytesMax = 16 * 1024;

/** How much may wait to be read of what tools asked for, in bytes: on a connection, and on all. */
const unreadLimits = { connectionBytesMax: 8 * 2 ** 20, allBytesMax: 128 * 2 ** 20 } as const;

/**
 * Answers to tools. A request costs next to nothing, and its answer may have megabytes: a client that has
 * asked for much and does not read it is answered no more, on whichever of its streams.
 */
export class Answering {
  /** Streams of which something may wait to be read. */
  readonly #unread = new Set<Stream>();

  /** Opens calls of one request and one answer. What `answer` throws ends the call. */
  unary(answer: (request: Buffer) => Buffer): (stream: Stream) => StreamHandler {
    return (stream) =>
      once(
        stream,
        this.#handler(stream, answer, () => stream.end()),
      );
  }

  /** Opens streams on which each request is answered, in order. What `answer` throws ends the stream. */
  conversation(answer: (request: Buffer) => Buffer): (stream: Stream) => StreamHandler {
    return (stream) => this.#handler(stream, answer, () => {});
  }

  /** Bytes that wait to be read. */
  unreadBytes(): number {
    return this.#sum(() => true);
  }

  #handler(stream: Stream, answer: (request: Buffer) => Buffer, then: () => void): StreamHandler {
    stream.dear();
    return answering(stream, (request) => {
      if (request.length > requestBytesMax)
        throw new MeshError(
          'invalid',
          `a request has ${request.length} bytes: at most ${requestBytesMax} are read here`,
        );
      this.#judge(stream);
      stream.write(answer(request));
      this.#unread.add(stream);
      then();
    });
  }

  #judge({ peer }: Stream): void {
    const { connectionBytesMax, allBytesMax } = unreadLimits;
    const here = this.#sum((one) => one.peer.address === peer.address);
    if (here <= connectionBytesMax && this.unreadBytes() <= allBytesMax) return;
    const [whose, most] =
      here > connectionBytesMax
        ? ['this connection has', connectionBytesMax]
        : ['all clients have', allBytesMax];
    throw new MeshError(
      'exhausted',
      `${whose} more than ${most} bytes of answers that are not read: read them first`,
    );
  }

  #sum(isMeant: (stream: Stream) => boolean): number {
    let sum = 0;
    for (const stream of this.#unread) {
      const bytes = stream.unreadBytes();
      if (bytes === 0) this.#unread.delete(stream);
      else if (isMeant(stream)) sum += bytes;
    }
    return sum;
  }
}

/** What takes one request. */
export function once(stream: Stream, handler: StreamHandler): StreamHandler {
  return { ...handler, halfClosed: () => stream.refuse(new MeshError('invalid', 'there is no request')) };
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
