import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../base/clock.ts';
import { MeshError, type MeshErrorCode } from '../../base/error.ts';
import { FairSlots } from '../../base/fair-slots.ts';
import { TokenBucket } from '../../base/token-bucket.ts';
import { grpcContentType, grpcStatus } from '../transport/call.ts';
import { goaway } from '../transport/goaway.ts';
import { HeldConnection, StreamHolder, type Useful } from './admission-holders.ts';
import type { AdmissionLevels, AdmissionLimit, AdmissionLimits, TurnedAway } from './admission-limits.ts';

// Errors of sockets and streams need no handler of their own: 'close' follows.
const ignore = () => {};

const lookMs = 1_000;
// Admission is about half of the cost of a new connection and may take half of a processor. Up to this many
// admissions may be made ahead of that.
const admitCost = 4;
const admitAheadMs = 4;
// A handshake with the certificates of both sides takes 2 to 3 ms of the processor after the admission.
const handshakeMs = 5;
const codes: Readonly<Partial<Record<AdmissionLimit, MeshErrorCode>>> = { hello: 'late', tls: 'forbidden' };
// Time for a refused connection to read the reason, while not too many do. One that HTTP/2 already has may
// still open streams.
const partingMs = 1_000;
const sessionPartingMs = 100;
const partingMax = 256;

/** What admission needs from the server. */
export interface AdmissionOptions {
  readonly clock: Clock;
  /** Starts an HTTP/2 session on a socket. */
  inject(socket: Socket): void;
  turnedAway(one: TurnedAway): void;
  /** No TLS: a refused connection can be sent a GOAWAY before its first byte is read. */
  readonly isPlain: boolean;
  readonly limits: AdmissionLimits;
}

/**
 * Admits connections and streams within the limits, no faster than they can be served, fairly by peer. A
 * refused connection gets GOAWAY (RFC 9113, 6.8), a refused stream a status.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #limits: AdmissionLimits;
  readonly #connections: FairSlots<HeldConnection>;
  readonly #streams: FairSlots<StreamHolder>;
  readonly #all = new Set<HeldConnection>();
  readonly #bySocket = new Map<string, HeldConnection>();
  readonly #bySession = new WeakMap<ServerHttp2Session, HeldConnection>();
  readonly #byStream = new WeakMap<ServerHttp2Stream, StreamHolder>();
  /** By peer, served round-robin. */
  readonly #waiting = new Map<string, Set<HeldConnection>>();
  #waitingCount = 0;
  readonly #rate: TokenBucket;
  // Until this time no connection is admitted, so that the event loop can serve the others.
  #busyUntil = 0;
  readonly #turnedAway: Record<AdmissionLimit, number> = {
    ...{ connections: 0, hello: 0, streamless: 0, streams: 0, openings: 0, overhead: 0, pieces: 0, tls: 0 },
  };
  #parting = 0;
  #admitTimer: Timer | undefined;
  #lookTimer: Timer | undefined;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#limits = options.limits;
    const { connectionsMax, streamsMax, connectionBurst, connectionsPerSecond } = this.#limits;
    this.#connections = new FairSlots(connectionsMax);
    this.#streams = new FairSlots(streamsMax);
    this.#rate = new TokenBucket(connectionBurst, connectionsPerSecond, options.clock.now());
  }

  levels(): AdmissionLevels {
    return {
      ...{ connections: this.#connections.taken, connectionsMax: this.#connections.max },
      ...{ waiting: this.#waitingCount, streamless: this.#streamless().length },
      ...{ streams: this.#streams.taken, streamsMax: this.#streams.max },
      turnedAway: { ...this.#turnedAway },
    };
  }

  /** Takes an accepted socket, paused. */
  connected(socket: Socket): void {
    // Covers the time before HTTP/2 takes the socket and after.
    socket.on('error', ignore);
    const connection = new HeldConnection(socket, this.#options.clock.now(), this.#limits, this.#lost);
    if (!this.#connections.take(connection)) {
      this.#turnAway(
        connection,
        'connections',
        'all connections are in use, and no address has more of them',
      );
      return;
    }
    this.#all.add(connection);
    this.#bySocket.set(connection.from, connection);
    socket.once('close', () => this.#closed(connection));
    const waiting = this.#waiting.get(connection.peer) ?? new Set();
    this.#waiting.set(connection.peer, waiting.add(connection));
    this.#waitingCount += 1;
    this.#admit();
    this.#lookTimer ??= this.#options.clock.after(lookMs, this.#look);
  }

  /** Counts a connection from `address:port` whose TLS handshake failed, which ends it. */
  handshakeFailed(from: string, why: string): void {
    this.#error('tls', from, why);
  }

  /** Takes the HTTP/2 session of an admitted socket. */
  began(session: ServerHttp2Session): void {
    const { remoteAddress = '', remotePort = 0 } = session.socket;
    const connection = this.#bySocket.get(`${remoteAddress}:${remotePort}`);
    if (connection === undefined) return;
    connection.session = session;
    this.#bySession.set(session, connection);
    session.once('remoteSettings', () => {
      connection.isGreeted = true;
      connection.since = this.#options.clock.now();
    });
  }

  /** Returns whether a stream is admitted; a refused one has been answered. */
  opened(stream: ServerHttp2Stream): boolean {
    const connection = stream.session && this.#bySession.get(stream.session as ServerHttp2Session);
    if (connection === undefined) return true;
    stream.on('error', ignore);
    if (connection.isEnded) {
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return false;
    }
    if (!connection.openings.take(1, this.#options.clock.now())) {
      const { openingsPerSecond } = this.#limits;
      this.#end(connection, 'openings', `streams are opened faster than ${openingsPerSecond} a second`);
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return false;
    }
    const holder = new StreamHolder(connection, stream, this.#lostStream);
    if (!this.#streams.take(holder)) {
      this.#refuse(stream, connection, 'no address has more of them than this one');
      return false;
    }
    connection.streams.add(holder);
    this.#byStream.set(stream, holder);
    this.#closeAfterAnswer(stream);
    stream.once('close', () => {
      this.#streams.release(holder);
      connection.streams.delete(holder);
      if (connection.streams.size === 0) connection.since = this.#options.clock.now();
    });
    return true;
  }

  /** The first request has named the node: the stream is in service. */
  settled(stream: ServerHttp2Stream | undefined): void {
    const holder = stream && this.#byStream.get(stream);
    if (holder !== undefined) holder.isKnown = true;
  }

  /** The counter for bytes of messages that arrive on a stream. */
  usefulOf(stream: ServerHttp2Stream | undefined): Useful | undefined {
    return stream && this.#byStream.get(stream)?.connection;
  }

  /**
   * Counts a short, non-final piece of a message. False: over the limit, the stream must be dropped at once.
   */
  pieceCame(stream: ServerHttp2Stream): boolean {
    const connection = this.#byStream.get(stream)?.connection;
    if (connection === undefined) return true;
    const { pieceBurst, piecesPerSecond } = this.#limits;
    const now = this.#options.clock.now();
    connection.pieces ??= new TokenBucket(pieceBurst, piecesPerSecond, now);
    if (!connection.isEnded && connection.pieces.take(1, now)) return true;
    if (!connection.isEnded)
      this.#end(
        connection,
        'pieces',
        `messages came in short pieces, more than ${piecesPerSecond} a second: write a message as a whole`,
      );
    return false;
  }

  /** Closes all sessions at once, after a pause in which final statuses of streams can be read. */
  destroy(): void {
    this.#admitTimer?.cancel();
    this.#lookTimer?.cancel();
    for (const { session, socket, streams } of this.#all) {
      if (session === undefined || session.destroyed || streams.size === 0) socket.destroy();
      else {
        session.close();
        this.#part(socket, partingMs, () => socket.destroy());
      }
    }
  }

  readonly #lost = (connection: HeldConnection): void =>
    this.#end(connection, 'connections', 'all connections are in use, and this address has most of them');

  readonly #lostStream = ({ stream, connection }: StreamHolder): void =>
    this.#refuse(stream, connection, 'they are in use by this address, which has most');

  /** Admits waiting connections, round-robin by peer, at the permitted rate. */
  readonly #admit = (): void => {
    this.#admitTimer = undefined;
    const { clock, inject, isPlain } = this.#options;
    for (const [peer, connections] of this.#waiting) {
      const now = clock.now();
      const restMs = this.#busyUntil - now - admitAheadMs;
      if (restMs > 0 || !this.#rate.take(1, now)) {
        this.#admitTimer ??= clock.after(restMs > 0 ? Math.ceil(restMs) : this.#rate.msToOne, this.#admit);
        return;
      }
      const [first] = connections;
      this.#waiting.delete(peer);
      if (first === undefined) continue;
      connections.delete(first);
      this.#waitingCount -= 1;
      // Re-inserted at the end: a loop over a Map also visits entries added during it.
      if (connections.size > 0) this.#waiting.set(peer, connections);
      first.since = clock.now();
      inject(first.socket);
      const cost = isPlain ? admitCost * (clock.now() - now) : handshakeMs;
      this.#busyUntil = Math.max(this.#busyUntil, now) + cost;
    }
  };

  #closed(connection: HeldConnection): void {
    this.#connections.release(connection);
    this.#all.delete(connection);
    if (this.#bySocket.get(connection.from) === connection) this.#bySocket.delete(connection.from);
    this.#stopWaiting(connection);
  }

  #stopWaiting(connection: HeldConnection): void {
    const waiting = this.#waiting.get(connection.peer);
    if (waiting?.delete(connection) !== true) return;
    this.#waitingCount -= 1;
    if (waiting.size === 0) this.#waiting.delete(connection.peer);
  }

  readonly #look = (): void => {
    const { helloMsMax, streamlessMax, streamlessMsMax, unusedMsMax } = this.#limits;
    const now = this.#options.clock.now();
    for (const connection of this.#all) {
      const waits = this.#waiting.get(connection.peer)?.has(connection) === true;
      if (!waits && !connection.isGreeted && now - connection.since >= helloMsMax)
        this.#end(connection, 'hello', `no handshake within ${helloMsMax} ms`);
      else this.#judgeOverhead(connection, now);
    }
    const idle = this.#streamless();
    // A client that needs a stream later opens a new connection at once.
    for (const { session, since } of idle) if (now - since >= unusedMsMax) session?.close();
    const streamless = idle.filter(({ since }) => now - since >= streamlessMsMax);
    streamless.sort((a, b) => a.since - b.since);
    for (const connection of streamless.slice(0, Math.max(0, streamless.length - streamlessMax)))
      this.#end(
        connection,
        'streamless',
        `no stream, and more than ${streamlessMax} connections without one`,
      );
    this.#lookTimer = this.#all.size === 0 ? undefined : this.#options.clock.after(lookMs, this.#look);
  };

  #judgeOverhead(connection: HeldConnection, now: number): void {
    const { useful, socket, seenUseful, seenAll } = connection;
    const all = socket.bytesRead;
    const overhead = all - seenAll - (useful - seenUseful);
    // Messages not read yet are not counted: `overhead` may be negative.
    if (overhead <= 0) return;
    connection.seenUseful = useful;
    connection.seenAll = all;
    if (connection.overhead.take(overhead, now)) return;
    const { overheadPerSecond } = this.#limits;
    this.#end(connection, 'overhead', `more than ${overheadPerSecond} bytes a second that are no messages`);
  }

  #streamless(): HeldConnection[] {
    const found: HeldConnection[] = [];
    for (const one of this.#all) if (one.isGreeted && one.streams.size === 0) found.push(one);
    return found;
  }

  #error(limit: AdmissionLimit, from: string, why: string): MeshError {
    this.#turnedAway[limit] += 1;
    const error = new MeshError(codes[limit] ?? 'exhausted', why);
    this.#options.turnedAway({ peer: from, limit, error });
    return error;
  }

  /** Ends a stream with a status and the reason. */
  #refuse(stream: ServerHttp2Stream, { from }: HeldConnection, why: string): void {
    const { message } = this.#error(
      'streams',
      from,
      `all ${this.#streams.max} streams are in use, and ${why}`,
    );
    if (stream.destroyed || stream.closed) return;
    if (stream.headersSent) {
      stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      return;
    }
    this.#closeAfterAnswer(stream);
    const trailers = {
      ':status': 200,
      'content-type': grpcContentType,
      'grpc-status': grpcStatus.resourceExhausted,
    };
    stream.respond({ ...trailers, 'grpc-message': message }, { endStream: true });
  }

  /**
   * Closes an answered stream whatever its client still sends (RFC 9113, 8.1). The trailers must go out
   * first: a reset would overtake them.
   */
  #closeAfterAnswer(stream: ServerHttp2Stream): void {
    stream.once('finish', () => {
      const timer = this.#options.clock.after(sessionPartingMs, () =>
        stream.close(constants.NGHTTP2_NO_ERROR),
      );
      stream.once('close', () => timer.cancel());
    });
  }

  /** Ends a connection, admitted or waiting. */
  #end(connection: HeldConnection, limit: AdmissionLimit, why: string): void {
    const { session, socket } = connection;
    connection.isEnded = true;
    this.#connections.release(connection);
    this.#stopWaiting(connection);
    this.#all.delete(connection);
    if (session === undefined || session.destroyed) {
      this.#turnAway(connection, limit, why);
      return;
    }
    const { message } = this.#error(limit, connection.from, why);
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, Buffer.from(message));
    this.#part(socket, sessionPartingMs, () => session.destroy());
  }

  /** Ends a connection that HTTP/2 does not have yet. */
  #turnAway({ socket, from }: HeldConnection, limit: AdmissionLimit, why: string): void {
    const { message } = this.#error(limit, from, why);
    if (!this.#options.isPlain || this.#parting >= partingMax) {
      socket.destroy();
      return;
    }
    // Reads and drops what comes: a reset would discard the GOAWAY at the client.
    socket.resume();
    socket.end(goaway(message));
    this.#part(socket, partingMs, () => socket.destroy());
  }

  #part(socket: Socket, ms: number, end: () => void): void {
    this.#parting += 1;
    const timer = this.#options.clock.after(ms, end);
    socket.once('close', () => {
      this.#parting -= 1;
      timer.cancel();
    });
  }
}
