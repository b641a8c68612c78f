import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { Bucket } from '../../base/bucket.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { Slots } from '../../base/slots.ts';
import { goaway } from '../transport/goaway.ts';
import { HeldConnection, StreamHolder, type Useful } from './admission-holders.ts';
import type { AdmissionLevels, AdmissionLimit, AdmissionLimits, TurnedAway } from './admission-limits.ts';

// Whatever goes wrong on a socket or a stream ends it, and that is heard of.
const ignore = () => {};

const lookMs = 1_000;
// To let a connection in is about half of what its beginning takes, and no more than half of a processor goes
// there. So far ahead of that they may be, and be let in at once.
const admitCost = 4;
const admitAheadMs = 4;
// A connection that is turned away may read why for so long, where not too many do. One that HTTP/2 has may
// still ask.
const partingMs = 1_000;
const sessionPartingMs = 100;
const partingMax = 256;

/** What admission needs of its surroundings. */
export interface AdmissionOptions {
  readonly clock: Clock;
  /** Makes an HTTP/2 session of a socket. */
  inject(socket: Socket): void;
  turnedAway(one: TurnedAway): void;
  /** Without TLS a connection that is turned away can be told why before its first byte is read. */
  readonly isPlain: boolean;
  readonly limits: AdmissionLimits;
}

/**
 * Lets connections and streams in, as many as there are places for and no faster than they can be served, and
 * no peer before the others. Those who are turned away are told why: a connection by GOAWAY (RFC 9113, 6.8),
 * a stream by its status.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #limits: AdmissionLimits;
  readonly #connections: Slots<HeldConnection>;
  readonly #streams: Slots<StreamHolder>;
  readonly #all = new Set<HeldConnection>();
  readonly #bySocket = new Map<string, HeldConnection>();
  readonly #bySession = new WeakMap<ServerHttp2Session, HeldConnection>();
  readonly #byStream = new WeakMap<ServerHttp2Stream, StreamHolder>();
  /** By peer, each in its turn. */
  readonly #waiting = new Map<string, Set<HeldConnection>>();
  #waitingCount = 0;
  readonly #rate: Bucket;
  // Until then the event loop is left to the others for connections that were let in.
  #busyUntil = 0;
  readonly #turnedAway: Record<AdmissionLimit, number> = {
    ...{ connections: 0, hello: 0, streamless: 0, streams: 0, openings: 0, overhead: 0, pieces: 0 },
  };
  #parting = 0;
  #admitTimer: Timer | undefined;
  #lookTimer: Timer | undefined;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#limits = options.limits;
    const { connectionsMax, streamsMax, connectionBurst, connectionsPerSecond } = this.#limits;
    this.#connections = new Slots(connectionsMax);
    this.#streams = new Slots(streamsMax);
    this.#rate = new Bucket(connectionBurst, connectionsPerSecond, options.clock.now());
  }

  levels(): AdmissionLevels {
    return {
      ...{ connections: this.#connections.taken, connectionsMax: this.#connections.max },
      ...{ waiting: this.#waitingCount, streamless: this.#streamless().length },
      ...{ streams: this.#streams.taken, streamsMax: this.#streams.max },
      turnedAway: { ...this.#turnedAway },
    };
  }

  /** Takes a socket that was accepted, paused. */
  connected(socket: Socket): void {
    // Until HTTP/2 has it, and after.
    socket.on('error', ignore);
    const connection = new HeldConnection(socket, this.#options.clock.now(), this.#limits, this.#lost);
    if (!this.#connections.take(connection)) {
      this.#turnAway(connection, 'connections', 'all connections are taken, and no address has more of them');
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

  /** Takes the HTTP/2 session of a socket that was let in. */
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

  /** Whether a stream is let in; else it has been answered. */
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
      this.#streams.free(holder);
      connection.streams.delete(holder);
      if (connection.streams.size === 0) connection.since = this.#options.clock.now();
    });
    return true;
  }

  /** A stream's client has said who it is, and is served. */
  settled(stream: ServerHttp2Stream | undefined): void {
    const holder = stream && this.#byStream.get(stream);
    if (holder !== undefined) holder.isKnown = true;
  }

  /** Where bytes are counted that come on a stream as messages, or parts of them. */
  usefulOf(stream: ServerHttp2Stream | undefined): Useful | undefined {
    return stream && this.#byStream.get(stream)?.connection;
  }

  /**
   * A short piece of a message came, and not its last one. Whether that may be; else the stream is to be
   * dropped at once.
   */
  pieceCame(stream: ServerHttp2Stream): boolean {
    const connection = this.#byStream.get(stream)?.connection;
    if (connection === undefined) return true;
    const { pieceBurst, piecesPerSecond } = this.#limits;
    const now = this.#options.clock.now();
    connection.pieces ??= new Bucket(pieceBurst, piecesPerSecond, now);
    if (!connection.isEnded && connection.pieces.take(1, now)) return true;
    if (!connection.isEnded)
      this.#end(
        connection,
        'pieces',
        `messages came in short pieces, more than ${piecesPerSecond} a second: write a message as a whole`,
      );
    return false;
  }

  /** Ends what is still there: at once, but for what streams are told last, which may be read first. */
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
    this.#end(connection, 'connections', 'all connections are taken, and this address has most of them');

  readonly #lostStream = ({ stream, connection }: StreamHolder): void =>
    this.#refuse(stream, connection, 'they were taken by this address, which has most');

  /** Lets in who waits, each peer in its turn, as fast as may be. */
  readonly #admit = (): void => {
    this.#admitTimer = undefined;
    const { clock, inject } = this.#options;
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
      // Behind all others; a loop over a map comes to what was added meanwhile.
      if (connections.size > 0) this.#waiting.set(peer, connections);
      first.since = clock.now();
      inject(first.socket);
      this.#busyUntil = Math.max(this.#busyUntil, now) + admitCost * (clock.now() - now);
    }
  };

  #closed(connection: HeldConnection): void {
    this.#connections.free(connection);
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
    // A client that wants a stream again opens another connection at once.
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
    // Messages that wait to be read are counted once they are.
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
    const error = new MeshError(limit === 'hello' ? 'late' : 'exhausted', why);
    this.#options.turnedAway({ peer: from, limit, error });
    return error;
  }

  /** Ends a stream, with a status that says why. */
  #refuse(stream: ServerHttp2Stream, { from }: HeldConnection, why: string): void {
    const { message } = this.#error(
      'streams',
      from,
      `all ${this.#streams.max} streams are taken, and ${why}`,
    );
    if (stream.destroyed || stream.closed) return;
    if (stream.headersSent) {
      stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      return;
    }
    this.#closeAfterAnswer(stream);
    const trailers = { ':status': 200, 'content-type': 'application/grpc+proto', 'grpc-status': 8 };
    stream.respond({ ...trailers, 'grpc-message': message }, { endStream: true });
  }

  /**
   * What was answered is over, whatever its client still sends (RFC 9113, 8.1). Its trailers go out after its
   * last byte, and a reset would overtake them.
   */
  #closeAfterAnswer(stream: ServerHttp2Stream): void {
    stream.once('finish', () => {
      const timer = this.#options.clock.after(sessionPartingMs, () =>
        stream.close(constants.NGHTTP2_NO_ERROR),
      );
      stream.once('close', () => timer.cancel());
    });
  }

  /** Ends a connection that was let in, or waits. */
  #end(connection: HeldConnection, limit: AdmissionLimit, why: string): void {
    const { session, socket } = connection;
    connection.isEnded = true;
    this.#connections.free(connection);
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
    // What came is read and dropped: a reset would take the words from the client.
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
