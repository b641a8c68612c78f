import { createServer, request, type Server } from 'node:http';
import { type ClientHttp2Session, connect, createServer as createHttp2Server } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';

/** Bytes of one piece of what comes slowly, and the time between two, in milliseconds. */
export const piece = { bytes: 1_000, everyMs: 250 } as const;

const pieceOf = () => Buffer.alloc(piece.bytes, 'piece ');

/** Calls `each` every `piece.everyMs` for so long, then `end`. The function that it returns stops it. */
function slowly(forMs: number, each: () => void, end: () => void): () => void {
  let left = Math.round(forMs / piece.everyMs);
  const timer = setInterval(() => {
    if (left > 0) each();
    else end();
    left -= 1;
    if (left < 0) clearInterval(timer);
  }, piece.everyMs);
  return () => clearInterval(timer);
}

/**
 * An instance over HTTP/1.1. `/download?ms=` sends a piece at a time, `/poll?ms=` is quiet and then answers,
 * `/events?ms=` begins an event stream and is quiet before the next event, a POST answers its number of
 * bytes; upgrades are echoed.
 */
export async function startSlowInstance(at: ListenAddress): Promise<Server> {
  const server = createServer((asked, response) => {
    const url = new URL(asked.url ?? '/', 'http://instance');
    const ms = Number(url.searchParams.get('ms') ?? 0);
    if (asked.method === 'POST') {
      let bytes = 0;
      asked.on('data', (data: Buffer) => {
        bytes += data.length;
      });
      asked.on('end', () => response.end(String(bytes)));
      return;
    }
    if (url.pathname === '/download') {
      response.on(
        'close',
        slowly(
          ms,
          () => response.write(pieceOf()),
          () => response.end(),
        ),
      );
      return;
    }
    const isEvents = url.pathname === '/events';
    if (isEvents) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: first\n\n');
    }
    const timer = setTimeout(() => response.end(isEvents ? 'data: last\n\n' : 'answered'), ms);
    response.on('close', () => clearTimeout(timer));
  });
  server.requestTimeout = 0;
  server.headersTimeout = 0;
  server.on('upgrade', (asked, socket: Duplex) => {
    const { upgrade } = asked.headers;
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${upgrade}\r\n\r\n`);
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(at.port, at.address, resolve));
  return server;
}

/** An instance that speaks gRPC: answers at once, echoes what comes, and ends when the client does. */
export async function startSlowGrpc(at: ListenAddress): Promise<Server> {
  const server = createHttp2Server().on('stream', (stream, headers) => {
    stream.on('error', () => {});
    const type = String(headers['content-type']);
    stream.respond({ ':status': 200, 'content-type': type }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.pipe(stream);
  }) as unknown as Server;
  await new Promise<void>((resolve) => server.listen(at.port, at.address, resolve));
  return server;
}

/**
 * What came of a request: its status, 0 where the connection broke before; bytes; whether it ended as it
 * should.
 */
export interface Ended {
  readonly status: number;
  readonly bytes: number;
  readonly text: string;
  readonly isWhole: boolean;
}

/** Sends a request and waits for its end. With `bodyMs` its body comes piece by piece for so long. */
export function ask(
  to: ListenAddress,
  host: string,
  path: string,
  { bodyMs, headers = {} }: { readonly bodyMs?: number; readonly headers?: Record<string, string> } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    let [status, bytes, text] = [0, 0, ''];
    const finish = (isWhole: boolean) => resolve({ status, bytes, text: text.slice(0, 200), isWhole });
    const method = bodyMs === undefined ? 'GET' : 'POST';
    const sent = request(
      { host: to.address, port: to.port, path, method, headers: { host, ...headers }, agent: false },
      (response) => {
        status = response.statusCode ?? 0;
        response.on('data', (data: Buffer) => {
          bytes += data.length;
          text += text.length < 200 ? data.toString() : '';
        });
        response.on('end', () => finish(response.complete));
        response.on('error', () => finish(false));
      },
    );
    sent.on('error', () => finish(false));
    if (bodyMs === undefined) sent.end();
    else
      sent.on(
        'close',
        slowly(
          bodyMs,
          () => sent.write(pieceOf()),
          () => sent.end(),
        ),
      );
  });
}

/** An upgraded connection; undefined where it was refused. */
export function openWebsocket(to: ListenAddress, host: string): Promise<Duplex | undefined> {
  return new Promise((resolve) => {
    const headers = { host, connection: 'upgrade', upgrade: 'websocket' };
    const sent = request({ host: to.address, port: to.port, headers, agent: false });
    sent.on('upgrade', (_response, socket) => resolve(socket));
    sent.on('response', () => resolve(undefined));
    sent.on('error', () => resolve(undefined));
    sent.end();
  });
}

/** A gRPC stream, or one of another content type, and its session. */
export function openGrpc(
  to: ListenAddress,
  authority: string,
  headers: Record<string, string> = {},
): {
  readonly session: ClientHttp2Session;
  readonly stream: Duplex;
  readonly trailers: Promise<Record<string, string>>;
} {
  const session = connect(`http://${to.address}:${to.port}`);
  session.on('error', () => {});
  const stream = session.request({
    ':method': 'POST',
    ':path': '/echo.Echo/Chat',
    ':authority': authority,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  const trailers = new Promise<Record<string, string>>((resolve) => {
    stream.on('trailers', (found) => resolve(found as Record<string, string>));
    stream.on('response', (found) => {
      if (found['grpc-status'] !== undefined) resolve(found as Record<string, string>);
    });
    stream.on('close', () => resolve({ 'grpc-status': 'cut' }));
  });
  stream.on('error', () => {});
  return { session, stream, trailers };
}

/** Whether a stream still echoes. */
export function echoes(stream: Duplex): Promise<boolean> {
  const words = Buffer.from('are you there');
  return new Promise((resolve) => {
    let got = 0;
    const finish = (answer: boolean) => {
      stream.off('data', take);
      resolve(answer);
    };
    const take = (data: Buffer) => {
      got += data.length;
      if (got >= words.length) finish(true);
    };
    stream.on('data', take);
    for (const gone of ['close', 'error', 'end']) stream.once(gone, () => finish(false));
    if (stream.destroyed) finish(false);
    else stream.write(words);
  });
}
