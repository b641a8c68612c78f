import { connect, type Socket } from 'node:net';
import type { Clock, Timer } from '../../../base/clock.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import {
  type AnswerHead,
  type AnswerReader,
  type BodySink,
  createAnswerReader,
  type LoadAnswer,
} from './load-answer.ts';

/** What becomes of one request. Exactly one of `answered` and `failed` is called, once. */
export interface Exchange {
  /**
   * The connection stands and the request has been written; `atMs` is when the connection was established.
   */
  written(atMs: number): void;
  answered(answer: LoadAnswer): void;
  /**
   * `written` false: no connection came about, so nobody has seen the request. `status`: of the answer that
   * had begun; 0 when none had.
   */
  failed(error: Error, written: boolean, status: number): void;
  /** What takes the answer's body; without it, or where it says none, the body is kept as text. */
  sinkOf?(head: AnswerHead): BodySink | undefined;
}

/**
 * A request's body: its pieces as they are written, one every `everyMs`, or as the connection takes them (0).
 */
export interface BodyPieces {
  readonly pieces: Iterator<Buffer>;
  readonly everyMs: number;
}

/**
 * Keep-alive connections of a load client: each carries one request at a time, an idle one is used before a
 * new one is made. Never sends a request twice, which pooling clients may do, and takes a third of
 * node:http's processor time for a request: the drill's clients share two processors with what they measure.
 */
interface Connections {
  /** Sends `request`, the whole head of an HTTP/1.1 request, and its body, and returns what abandons it. */
  send(
    target: ListenAddress,
    request: string,
    exchange: Exchange,
    body?: BodyPieces,
  ): (reason: Error) => void;
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
  send(request: string, exchange: Exchange, body: BodyPieces | undefined): void;
  abandon(exchange: Exchange, reason: Error): void;
  end(): void;
}

function createConnection(
  target: ListenAddress,
  clock: Clock,
  connectTimeoutMs: number,
  on: { idle(): void; closed(): void },
): Connection {
  return new Http1Connection(target, clock, connectTimeoutMs, on);
}

class Http1Connection implements Connection {
  readonly #clock: Clock;
  readonly #on: { idle(): void; closed(): void };
  #establishedAt: number | undefined;
  #exchange: Exchange | undefined;
  #reader: AnswerReader | undefined;
  /** Whether a part of a body is still to be written. */
  #writing = false;
  readonly #socket: Socket;
  readonly #connecting: Timer;
  readonly #fail = (error: Error) => {
    const failed = this.#exchange;
    this.#exchange = undefined;
    failed?.failed(error, this.#establishedAt !== undefined, this.#reader?.status ?? 0);
  };

  constructor(
    target: ListenAddress,
    clock: Clock,
    connectTimeoutMs: number,
    on: { idle(): void; closed(): void },
  ) {
    this.#clock = clock;
    this.#on = on;
    this.#socket = connect({ host: target.address, port: target.port, noDelay: true });
    this.#connecting = clock.after(connectTimeoutMs, () =>
      this.#socket.destroy(new Error(`no connection within ${connectTimeoutMs} ms`)),
    );
    this.#socket.on('connect', () => {
      this.#connecting.cancel();
      this.#establishedAt = clock.now();
      this.#exchange?.written(this.#establishedAt);
    });
    this.#socket.on('data', (chunk: Buffer) => {
      // An answer that nobody asked for: the connection cannot be trusted with a request.
      if (this.#exchange === undefined) return this.#socket.destroy();
      this.#read(chunk);
    });
    this.#socket.on('end', () => {
      // Before the socket is closed, so that no other request is written to it meanwhile.
      on.closed();
      this.#read('end');
      this.#socket.destroy();
    });
    this.#socket.on('error', this.#fail);
    this.#socket.on('close', () => {
      this.#connecting.cancel();
      on.closed();
      this.#fail(new Error('the connection was closed'));
    });
  }

  send(request: string, next: Exchange, body: BodyPieces | undefined): void {
    this.#exchange = next;
    this.#reader = createAnswerReader(next.sinkOf?.bind(next));
    // Written when the connection stands, by the socket's own buffer.
    this.#socket.write(request, 'latin1');
    if (body) this.#write(next, body);
    if (this.#establishedAt !== undefined) next.written(this.#establishedAt);
  }

  abandon(abandoned: Exchange, reason: Error): void {
    if (this.#exchange === abandoned) this.#socket.destroy(reason);
  }

  end(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer | 'end'): void {
    if (this.#exchange === undefined || this.#reader === undefined) return;
    try {
      const answer = chunk === 'end' ? this.#reader.end() : this.#reader.take(chunk);
      if (answer === undefined) return;
      const answered = this.#exchange;
      this.#exchange = undefined;
      // What is answered before it was sent is not sent any further.
      if (answer.keepAlive && chunk !== 'end' && !this.#writing) this.#on.idle();
      else this.#socket.destroy();
      answered.answered(answer);
    } catch (error) {
      this.#socket.destroy(error as Error);
    }
  }

  #write(of: Exchange, { pieces, everyMs }: BodyPieces): void {
    this.#writing = true;
    const next = () => {
      while (this.#exchange === of) {
        const piece = pieces.next();
        if (piece.done) {
          this.#writing = false;
          return;
        }
        const room = this.#socket.write(piece.value);
        if (everyMs > 0) return void this.#clock.after(everyMs, next);
        if (!room) return void this.#socket.once('drain', next);
      }
    };
    next();
  }
}
