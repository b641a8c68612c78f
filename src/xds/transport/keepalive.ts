import { constants, type ServerHttp2Session } from 'node:http2';
import type { Clock, Timer } from '../../base/clock.ts';

/** A connection whose peer is watched. */
export interface Connection {
  /** Grows with all bytes received. */
  bytesRead(): number;
  /** Sends a ping. */
  ping(): void;
  drop(): void;
}

/** When a connection is pinged, and when it is dropped, in milliseconds. */
interface KeepaliveTimes {
  /** Nothing arrived for this long: ping. */
  readonly quietMs: number;
  /** Nothing arrived for this long after the ping: drop. */
  readonly answerMs: number;
}

interface Watched {
  bytes: number;
  since: number;
  pingedAt: number | undefined;
}

const lookMs = 1_000;

/**
 * Drops connections whose peer has silently gone. Any received byte is a sign of life, as in gRPC's C core
 * and Go: the answer to a ping waits behind all that the peer has not read yet, and many proxies that start
 * at once read for a long time (docs/decisions/042).
 *
 * Connections are checked each second: one is dropped within `quietMs + answerMs` and two seconds, extended
 * by the time that this process was stalled.
 */
export class Keepalive {
  readonly #watched = new Map<Connection, Watched>();
  readonly #clock: Clock;
  readonly #times: KeepaliveTimes;
  #timer: Timer | undefined;
  #lookedAt = 0;
  /** How many were dropped. */
  dropped = 0;

  constructor(clock: Clock, times: KeepaliveTimes) {
    this.#clock = clock;
    this.#times = times;
  }

  watch(connection: Connection): void {
    this.#watched.set(connection, {
      bytes: connection.bytesRead(),
      since: this.#clock.now(),
      pingedAt: undefined,
    });
    this.#schedule();
  }

  forget(connection: Connection): void {
    this.#watched.delete(connection);
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#watched.size === 0) return;
    this.#lookedAt = this.#clock.now();
    this.#timer = this.#clock.after(lookMs, this.#look);
  }

  readonly #look = () => {
    this.#timer = undefined;
    const now = this.#clock.now();
    const lateMs = now - this.#lookedAt - lookMs;
    // While this process was stalled nothing was read: what came meanwhile is read after this.
    if (lateMs > lookMs) this.#excuse(lateMs);
    for (const [connection, seen] of this.#watched) this.#judge(connection, seen, now);
    this.#schedule();
  };

  #excuse(lateMs: number): void {
    for (const seen of this.#watched.values()) {
      seen.since += lateMs;
      if (seen.pingedAt !== undefined) seen.pingedAt += lateMs;
    }
  }

  #judge(connection: Connection, seen: Watched, now: number): void {
    const bytes = connection.bytesRead();
    if (bytes !== seen.bytes) {
      seen.bytes = bytes;
      seen.since = now;
      seen.pingedAt = undefined;
    } else if (seen.pingedAt === undefined) {
      if (now - seen.since < this.#times.quietMs) return;
      seen.pingedAt = now;
      connection.ping();
    } else if (now - seen.pingedAt >= this.#times.answerMs) {
      this.#watched.delete(connection);
      this.dropped += 1;
      connection.drop();
    }
  }
}

const silentWords = Buffer.from('nothing was received from you for too long, not even the answer to a ping');

/** An HTTP/2 connection as the watch sees it. */
function connectionOf(session: ServerHttp2Session): Connection {
  return {
    bytesRead: () => (session.destroyed ? 0 : session.socket.bytesRead),
    ping: () => void (session.destroyed || session.ping(() => {})),
    drop() {
      // For a live peer that was only kept from answering: its logs then show the reason.
      if (!session.destroyed) session.goaway(constants.NGHTTP2_NO_ERROR, 0, silentWords);
      session.destroy();
    },
  };
}

/** Watches HTTP/2 connections until they end, with shorter times once they have had a stream. */
export class SessionKeepalive {
  readonly #used: Keepalive;
  readonly #unused: Keepalive;
  readonly #connections = new WeakMap<ServerHttp2Session, Connection>();

  constructor(clock: Clock, times: { readonly used: KeepaliveTimes; readonly unused: KeepaliveTimes }) {
    this.#used = new Keepalive(clock, times.used);
    this.#unused = new Keepalive(clock, times.unused);
  }

  /** How many were dropped. */
  get dropped(): number {
    return this.#used.dropped + this.#unused.dropped;
  }

  began(session: ServerHttp2Session): void {
    if (session.destroyed) return;
    const connection = connectionOf(session);
    this.#connections.set(session, connection);
    this.#unused.watch(connection);
    session.once('close', () => {
      this.#unused.forget(connection);
      this.#used.forget(connection);
    });
  }

  /** A stream of the connection begins; may be called again. */
  used(session: ServerHttp2Session): void {
    const connection = this.#connections.get(session);
    if (connection === undefined || session.destroyed) return;
    this.#connections.delete(session);
    this.#unused.forget(connection);
    this.#used.watch(connection);
  }
}
