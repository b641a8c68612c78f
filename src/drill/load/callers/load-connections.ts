import { connect, type Socket } from 'node:net';
import type { Clock } from '../../../base/clock.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import {
  type Answer,
  type AnswerHead,
  type AnswerReader,
  createAnswerReader,
  type Sink,
} from './load-answer.ts';

/** What becomes of one request. Exactly one of `answered` and `failed` is called, once. */
export interface Exchange {
  /**
   * The connection stands and the request has been written; `atMs` is when the connection was established.
   */
  written(atMs: number): void;
  answered(answer: Answer): void;
  /**
   * `written` false: no connection came about, so nobody has seen the request. `status`: of the answer that
   * had begun; 0 when none had.
   */
  failed(error: Error, written: boolean, status: number): void;
  /** What takes the answer's body; without it, or where it says none, the body is kept as text. */
  sinkOf?(head: AnswerHead): Sink | undefined;
}

/**
 * A request's body: its pieces as they are written, one every `everyMs`, or as the connection takes them (0).
 */
export interface Body {
  readonly pieces: Iterator<Buffer>;
  readonly everyMs: number;
}

/**
 * Keep-alive connections of a load client: each carries one request at a time, an idle one is used before a
 * new one is made. Never sends a request twice, which pooling clients may do, and takes a third of
 * node:http's processor time for a request: the drill's clients share two processors with what they measure.
 */
export interface Connections {
  /** Sends `request`, the whole head of an HTTP/1.1 request, and its body, and returns what abandons it. */
  send(target: ListenAddress, request: string, exchange: Exchange, body?: Body): (reason: Error) => void;
  /** Ends all connections. */
  close(): void;
}

/** No connection within `connectTimeoutMs` is a failure of the exchange. */
export function createConnections(clock: Clock, connectTimeoutMs: number): Connections {
  const idle = new Map<ListenAddress, Connection[]>();
  const all = new Set<Connection>();

  const open = (target: ListenAddress): Connection => {
    const free = idle.get(target) ?? [];
    idle.set(target, free);
    const connection = createConnection(target, clock, connectTimeoutMs, {
      idle: () => free.push(connection),
      closed: () => {
        all.delete(connection);
        const at = free.indexOf(connection);
        if (at >= 0) free.splice(at, 1);
      },
    });
    all.add(connection);
    return connection;
  };

  return {
    send(target, request, exchange, body) {
      const connection = idle.get(target)?.pop() ?? open(target);
      connection.send(request, exchange, body);
      return (reason) => connection.abandon(exchange, reason);
    },
    close() {
      for (const connection of all) connection.end();
    },
  };
}

interface Connection {
  send(request: string, exchange: Exchange, body: Body | undefined): void;
  abandon(exchange: Exchange, reason: Error): void;
  end(): void;
}

function createConnection(
  target: ListenAddress,
  clock: Clock,
  connectTimeoutMs: number,
  on: { idle(): void; closed(): void },
): Connection {
  let establishedAt: number | undefined;
  let exchange: Exchange | undefined;
  let reader: AnswerReader | undefined;
  /** Whether a part of a body is still to be written. */
  let writing = false;

  const socket: Socket = connect({ host: target.address, port: target.port, noDelay: true });
  const connecting = clock.after(connectTimeoutMs, () =>
    socket.destroy(new Error(`no connection within ${connectTimeoutMs} ms`)),
  );

  const fail = (error: Error) => {
    const failed = exchange;
    exchange = undefined;
    failed?.failed(error, establishedAt !== undefined, reader?.status ?? 0);
  };
  const read = (chunk: Buffer | 'end') => {
    if (exchange === undefined || reader === undefined) return;
    try {
      const answer = chunk === 'end' ? reader.end() : reader.take(chunk);
      if (answer === undefined) return;
      const answered = exchange;
      exchange = undefined;
      // What is answered before it was sent is not sent any further.
      if (answer.keepAlive && chunk !== 'end' && !writing) on.idle();
      else socket.destroy();
      answered.answered(answer);
    } catch (error) {
      socket.destroy(error as Error);
    }
  };

  const write = (of: Exchange, { pieces, everyMs }: Body) => {
    writing = true;
    const next = () => {
      while (exchange === of) {
        const piece = pieces.next();
        if (piece.done) {
          writing = false;
          return;
        }
        const room = socket.write(piece.value);
        if (everyMs > 0) return void clock.after(everyMs, next);
        if (!room) return void socket.once('drain', next);
      }
    };
    next();
  };

  socket.on('connect', () => {
    connecting.cancel();
    establishedAt = clock.now();
    exchange?.written(establishedAt);
  });
  socket.on('data', (chunk: Buffer) => {
    // An answer that nobody asked for: the connection cannot be trusted with a request.
    if (exchange === undefined) return socket.destroy();
    read(chunk);
  });
  socket.on('end', () => {
    // Before the socket is closed, so that no other request is written to it meanwhile.
    on.closed();
    read('end');
    socket.destroy();
  });
  socket.on('error', fail);
  socket.on('close', () => {
    connecting.cancel();
    on.closed();
    fail(new Error('the connection was closed'));
  });

  return {
    send(request, next, body) {
      exchange = next;
      reader = createAnswerReader(next.sinkOf?.bind(next));
      // Written when the connection stands, by the socket's own buffer.
      socket.write(request, 'latin1');
      if (body) write(next, body);
      if (establishedAt !== undefined) next.written(establishedAt);
    },
    abandon(abandoned, reason) {
      if (exchange === abandoned) socket.destroy(reason);
    },
    end: () => socket.destroy(),
  };
}
