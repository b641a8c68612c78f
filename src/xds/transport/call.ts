import {
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Clock, Timer } from '../../base/clock.ts';
import { safeExcerpt } from '../../base/text/safe-excerpt.ts';
import type { Frame } from '../wire/frame.ts';

/** The gRPC status codes in use (grpc/doc/statuscodes.md). */
export const grpcStatus = {
  ...{ ok: 0, invalidArgument: 3, deadlineExceeded: 4, notFound: 5, resourceExhausted: 8 },
  ...{ permissionDenied: 7, failedPrecondition: 9, unimplemented: 12, internal: 13, unavailable: 14 },
} as const;

// Eight digits and a unit; what is longer is quoted in part.
const timeoutBytesMax = 64;

/** Of all responses. */
export const grpcContentType = 'application/grpc+proto';
const answerHeaders = {
  ':status': 200,
  'content-type': grpcContentType,
  'grpc-encoding': 'identity',
  'grpc-accept-encoding': 'identity,deflate,gzip',
};

/**
 * One gRPC call on its HTTP/2 stream (grpc/doc/PROTOCOL-HTTP2.md). `call-messages.ts` reads its input; this
 * class writes headers, messages and status.
 */
export class GrpcCall {
  readonly http: ServerHttp2Stream;
  readonly #onEnd: (() => void)[] = [];
  #isOver = false;
  #deadline: Timer | undefined;

  constructor(http: ServerHttp2Stream) {
    this.http = http;
    // A stream's error ends it, which 'close' reports.
    http.on('error', () => {});
    http.once('close', () => this.#over());
  }

  get session(): ServerHttp2Session | undefined {
    return this.http.session as ServerHttp2Session | undefined;
  }

  /** `address:port` of the client. */
  peer(): string {
    const { remoteAddress, remotePort } = this.session?.socket ?? {};
    return remoteAddress === undefined ? 'unknown' : `${remoteAddress}:${remotePort}`;
  }

  /** The client's certificate (DER), if one was requested and accepted. */
  certificate(): Buffer | undefined {
    const { session } = this;
    if (session?.encrypted !== true) return undefined;
    const socket = session.socket as TLSSocket;
    return socket.authorized ? socket.getPeerCertificate().raw : undefined;
  }

  /** Ends the call with DEADLINE_EXCEEDED after the client's `grpc-timeout`. */
  keepDeadline(headers: IncomingHttpHeaders, clock: Clock): void {
    const given = headers['grpc-timeout'];
    if (given === undefined) return;
    const ms = timeoutMs(String(given));
    if (ms === undefined)
      this.end(
        grpcStatus.internal,
        `grpc-timeout '${safeExcerpt(String(given), timeoutBytesMax)}' is not valid`,
      );
    else
      this.#deadline = clock.after(ms, () =>
        this.end(grpcStatus.deadlineExceeded, 'the deadline of the call has passed'),
      );
  }

  /** Calls `fn` once the call is over: its status was sent, or its stream has closed. */
  whenOver(fn: () => void): void {
    this.#onEnd.push(fn);
  }

  write(frame: Frame): void {
    const { http } = this;
    if (http.destroyed || http.closed || http.writableEnded) return;
    if (!http.headersSent) http.respond(answerHeaders, { waitForTrailers: true });
    http.write(frame);
  }

  /** Calls `work`, and passes what that writes to the connection at once. */
  together(work: () => void): void {
    const { http } = this;
    http.cork();
    try {
      work();
    } finally {
      http.uncork();
    }
  }

  /** Ends the call with a status, after what was written. Only the first call counts. */
  end(status: number, words: string): void {
    if (this.#isOver) return;
    const { http } = this;
    const trailers = { 'grpc-status': status, 'grpc-message': percentEncoded(words) };
    if (!http.destroyed && !http.closed) {
      if (http.headersSent) {
        http.once('wantTrailers', () => http.sendTrailers(trailers));
        http.end();
      } else
        http.respond({ ':status': 200, 'content-type': grpcContentType, ...trailers }, { endStream: true });
      // Drops further input, so that the stream's end is seen.
      http.resume();
    }
    this.#over();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deadline?.cancel();
    for (const fn of this.#onEnd.splice(0)) fn();
  }
}

/** Answers a stream whose content type is not gRPC. */
export function refuseOther(http: ServerHttp2Stream): void {
  http.on('error', () => {});
  if (http.destroyed || http.closed) return;
  http.respond({ ':status': constants.HTTP_STATUS_UNSUPPORTED_MEDIA_TYPE }, { endStream: true });
  http.resume();
}

// "application/grpc", then nothing, the subtype of the messages, or parameters; media types ignore case.
const grpcMediaType = /^application\/grpc(?:\+|[ \t]*;|[ \t]*$)/i;

/** Whether a request's content type is gRPC's (grpc/doc/PROTOCOL-HTTP2.md, "Content-Type"). */
export function isGrpc(headers: IncomingHttpHeaders): boolean {
  return grpcMediaType.test(headers['content-type'] ?? '');
}

const unitMs = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 } as const;

/** Milliseconds of a `grpc-timeout`, such as `10S`; undefined if it is not valid. */
export function timeoutMs(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) * unitMs[unit as keyof typeof unitMs];
}

/**
 * `grpc-message`: UTF-8, percent-encoded except for printable ASCII (PROTOCOL-HTTP2.md, "Percent-Encoded").
 */
export function percentEncoded(words: string): string {
  return words.replace(/[^\x20-\x24\x26-\x7e]+/g, (some) =>
    Buffer.from(some).reduce(
      (text, byte) => `${text}%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
      '',
    ),
  );
}
