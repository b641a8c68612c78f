import { MeshError } from '../../base/error.ts';
import { safeExcerpt } from '../../base/text/safe-excerpt.ts';
import type { Slices } from '../slices.ts';
import type { Stream, StreamHandler } from '../transport/grpc-server.ts';

const refusalBytesMax = 1_024;

/** The reason of a refusal, safe for trailers and logs: it may quote the client. */
export function refusal(reason: unknown): MeshError {
  const { code, message, cause } = MeshError.from(reason);
  return new MeshError(code, safeExcerpt(message, refusalBytesMax), { cause });
}

// Enough for a name, or some node matchers.
const requestBytesMax = 16 * 1024;

/** Unread bytes of answers to tools, on a connection and in all. */
const unreadLimits = { connectionBytesMax: 8 * 2 ** 20, allBytesMax: 128 * 2 ** 20 } as const;

/** Bytes of all answers that are being made. */
const madeBytesMax = 64 * 2 ** 20;

/** An answer: at once, or in slices, which call `made` with the bytes that they have made so far. */
type Answer = (request: Buffer, made: (bytes: number) => void) => Buffer | Slices<Buffer>;

/**
 * Answers calls of tools. A request is cheap, and its answer may have megabytes: a client that does not read
 * its answers gets no more, on any of its streams.
 */
export class Answering {
  /** Streams that may have unread answers. */
  readonly #unread = new Set<Stream>();
  #madeBytes = 0;

  /** Handler of unary calls. An exception of `answer` ends the call. */
  unary(answer: Answer): (stream: Stream) => StreamHandler {
    return (stream) =>
      once(
        stream,
        this.#handler(stream, answer, () => stream.end()),
      );
  }

  /** Handler of streams that answers each request in order. An exception of `answer` ends the stream. */
  conversation(answer: Answer): (stream: Stream) => StreamHandler {
    return (stream) => this.#handler(stream, answer, () => {});
  }

  /** Unread bytes. */
  unreadBytes(): number {
    return this.#sum(() => true);
  }

  #handler(stream: Stream, answer: Answer, then: () => void): StreamHandler {
    stream.dear();
    let madeBytes = 0;
    const made = (bytes: number) => {
      this.#madeBytes += bytes - madeBytes;
      madeBytes = bytes;
      if (bytes > 0 && this.#madeBytes > madeBytesMax)
        throw new MeshError(
          'exhausted',
          `answers of more than ${madeBytesMax} bytes are being made: ask again later`,
        );
    };
    const give = (bytes: Buffer) => {
      made(0);
      stream.write(bytes);
      stream.expectRead(bytes.length);
      this.#unread.add(stream);
      then();
    };
    const answers = answering(stream, (request) => {
      this.#judge(stream);
      const bytes = answer(request, made);
      if (Buffer.isBuffer(bytes)) give(bytes);
      else stream.inSlices(givenOrRefused(stream, bytes, give));
    });
    return { receive: (message) => answers.receive(message), closed: () => made(0) };
  }

  #judge({ peer }: Stream): void {
    const { connectionBytesMax, allBytesMax } = unreadLimits;
    const here = this.#sum((one) => one.peer.address === peer.address);
    if (here <= connectionBytesMax && this.unreadBytes() <= allBytesMax) return;
    const [whose, most] =
      here > connectionBytesMax
        ? ['this connection has', connectionBytesMax]
        : ['all clients have', allBytesMax];
    throw new MeshError('exhausted', `${whose} more than ${most} unread bytes of answers: read them first`);
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

function* givenOrRefused(stream: Stream, answer: Slices<Buffer>, give: (bytes: Buffer) => void): Slices {
  try {
    give(yield* answer);
  } catch (reason) {
    stream.refuse(refusal(reason));
  }
}

/** Adapts a handler to calls of one request. */
export function once(stream: Stream, handler: StreamHandler): StreamHandler {
  return {
    receive: (bytes) => handler.receive(bytes),
    closed: () => handler.closed(),
    halfClosed: () => stream.refuse(new MeshError('invalid', 'the call ended without a request')),
  };
}

/** Adapts a handler of short requests; an exception of `take`, or a long request, ends the stream. */
export function answering(stream: Stream, take: (request: Buffer) => void): StreamHandler {
  return {
    receive(bytes) {
      try {
        if (bytes.length > requestBytesMax)
          throw new MeshError(
            'invalid',
            `a request has ${bytes.length} bytes: at most ${requestBytesMax} are read here`,
          );
        take(bytes);
      } catch (reason) {
        stream.refuse(refusal(reason));
      }
    },
    closed() {},
  };
}
