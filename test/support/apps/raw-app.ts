import { createServer, type Server, type Socket } from 'node:net';

/** What a raw application does with the whole request: bytes (latin1) to send, parts with a pause between. */
export type RawReply = (request: RawRequest, socket: Socket) => void;

/** A request as its bytes came. */
export interface RawRequest {
  /** The request line. */
  readonly line: string;
  /** Header lines, in order, as they came. */
  readonly headers: readonly string[];
  /** The body without its framing, and trailer lines after it. */
  readonly body: string;
  readonly trailers: readonly string[];
}

/**
 * An HTTP/1.1 server that tidies nothing up: it reads one request after another, and answers by `reply`. A
 * request with
 * `expect: 100-continue` is given to `reply` before its body.
 */
export function createRawApp(reply: RawReply): Server {
  return createServer((socket) => {
    let got = '';
    /** Bytes of a body that was expected and is still to come. */
    let awaited = 0;
    socket.setEncoding('latin1');
    socket.on('error', () => {});
    socket.on('data', (part: string) => {
      got += part.slice(awaited);
      awaited = Math.max(0, awaited - part.length);
      for (let read = readRequest(got); read !== undefined; read = readRequest(got)) {
        got = got.slice(read.length);
        awaited = read.awaited;
        reply(read.request, socket);
      }
    });
  });
}

interface ReadRequest {
  readonly request: RawRequest;
  readonly length: number;
  /** Bytes of its body that are still to come. */
  readonly awaited: number;
}

/** One request from the beginning of `text`, and how long it is; undefined until it is whole. */
function readRequest(text: string): ReadRequest | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [line = '', ...headers] = text.slice(0, end).split('\r\n');
  const value = (name: string) =>
    headers
      .find((header) => header.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim();
  const start = end + 4;
  const whole = (length: number, body = '', trailers: string[] = [], awaited = 0): ReadRequest => ({
    request: { line, headers, body, trailers },
    length,
    awaited,
  });
  if (value('transfer-encoding') !== undefined) return readChunks(text, start, whole);
  const length = Number.parseInt(value('content-length') ?? '0', 10);
  if (value('expect') !== undefined && text.length === start) return whole(start, '', [], length);
  if (text.length < start + length) return undefined;
  return whole(start + length, text.slice(start, start + length));
}

function readChunks<T>(
  text: string,
  start: number,
  whole: (length: number, body: string, trailers: string[]) => T,
): T | undefined {
  let at = start;
  let body = '';
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (size === 0) {
      const tail = text.slice(lineEnd + 2);
      const stop = tail.startsWith('\r\n') ? 0 : tail.indexOf('\r\n\r\n');
      if (stop < 0 || tail.length < 2) return undefined;
      const trailers = stop === 0 ? [] : tail.slice(0, stop).split('\r\n');
      return whole(lineEnd + 2 + (stop === 0 ? 2 : stop + 4), body, trailers);
    }
    if (text.length < lineEnd + 2 + size + 2) return undefined;
    body += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
  }
}
