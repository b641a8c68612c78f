import { type IncomingMessage, maxHeaderSize, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ProblemKind } from '../contract/problem.ts';
import type { AdminLimits } from './admin-places.ts';
import { rawRefusal } from './refusal.ts';

/** Answers input that is not a valid request, or too late. */
interface Unreadable {
  /** Records each request. */
  note(request: IncomingMessage, response: ServerResponse): void;
  /** Reports the error if no answer has begun, and closes the connection. */
  answer(error: NodeJS.ErrnoException, socket: Socket): void;
  /** Refuses CONNECT, and closes the connection. */
  refuseTunnel(request: IncomingMessage, socket: Duplex): void;
}

type Words = readonly [kind: ProblemKind, phrase: string, detail: string];

const noHttp: Words = [
  'invalid',
  'Bad Request',
  'this is not an HTTP/1.1 request, and nothing else is spoken here; xDS is at the address of --xds',
];

/** Creates the handler of one server. */
export function createUnreadable({ headersMsMax, requestMsMax }: AdminLimits): Unreadable {
  // By Node's codes (event `clientError` of node:http).
  const words: Readonly<Record<string, Words>> = {
    HPE_HEADER_OVERFLOW: [
      'headers-too-large',
      'Request Header Fields Too Large',
      `the request line and the headers have more than ${maxHeaderSize} bytes: send less`,
    ],
    ERR_HTTP_REQUEST_TIMEOUT: [
      'late',
      'Request Timeout',
      `the request was not complete in time: send its headers within ${headersMsMax / 1000} s, and all of it within ${requestMsMax / 1000} s`,
    ],
  };
  const responses = new WeakMap<Socket, ServerResponse>();
  return {
    note: ({ socket }, response) => void responses.set(socket, response),
    answer(error, socket) {
      const response = responses.get(socket);
      const isFree = response === undefined || response.writableEnded || !response.headersSent;
      if (error.code !== 'ECONNRESET' && socket.writable && isFree)
        socket.write(rawRefusal(...(words[error.code ?? ''] ?? noHttp)));
      socket.destroy();
    },
    refuseTunnel(_, socket) {
      socket.on('error', () => socket.destroy());
      socket.end(rawRefusal('method-not-allowed', 'Method Not Allowed', 'no path takes CONNECT'));
    },
  };
}
