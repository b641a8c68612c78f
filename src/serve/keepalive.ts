import type { ServerHttp2Session } from 'node:http2';
import type { Clock, Timer } from '../base/clock.ts';

/** A connection, as far as it can be told whether its peer is still there. */
export interface Connection {
  /** Grows with whatever arrives. */
  bytesRead(): number;
  /** Asks the peer to send something. */
  ping(): void;
  drop(): void;
}

/** When a connection is asked, and when it is given up, in milliseconds. */
export interface KeepaliveTimes {
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
 * Drops connections whose peer has gone without a word. Whatever arrives is a sign of life, as in gRPC's C core and
 * Go: the answer to a ping waits in the peer behind all that it has not read yet, and a crowd of proxies that start at once
 * reads for longer than anybody should wait (docs/decisions/042). grpc-js looks for the answer alone.
 *
 * Connections are looked at once a second: one is dropped within `quietMs + answerMs` and two seconds.
 */
export class Keepalive {
  private readonly watched = new Map<Connection, Watched>();
  private readonly clock: Clock;
  private readonly times: KeepaliveTimes;
  private timer: Timer | undefined;

  constructor(clock: Clock, times: KeepaliveTimes) {
    this.clock = clock;
    this.times = times;
  }

  watch(connection: Connection): void {
    this.watched.set(connection, {
      bytes: connection.bytesRead(),
      since: this.clock.now(),
      pingedAt: undefined,
    });
    this.timer ??= this.clock.after(lookMs, this.look);
  }

  forget(connection: Connection): void {
    this.watched.delete(connection);
  }

  private readonly look = () => {
    const now = this.clock.now();
    for (const [connection, seen] of this.watched) this.judge(connection, seen, now);
    this.timer = this.watched.size === 0 ? undefined : this.clock.after(lookMs, this.look);
  };

  private judge(connection: Connection, seen: Watched, now: number): void {
    const bytes = connection.bytesRead();
    if (bytes !== seen.bytes) {
      seen.bytes = bytes;
      seen.since = now;
      seen.pingedAt = undefined;
    } else if (seen.pingedAt === undefined) {
      if (now - seen.since < this.times.quietMs) return;
      seen.pingedAt = now;
      connection.ping();
    } else if (now - seen.pingedAt >= this.times.answerMs) {
      this.watched.delete(connection);
      connection.drop();
    }
  }
}

const watchedSessions = new WeakSet<ServerHttp2Session>();

/** Watches an HTTP/2 connection until it ends; again is no harm. */
export function watchSession(keepalive: Keepalive, session: ServerHttp2Session): void {
  if (watchedSessions.has(session) || session.destroyed) return;
  watchedSessions.add(session);
  const connection: Connection = {
    bytesRead: () => (session.destroyed ? 0 : session.socket.bytesRead),
    ping: () => void (session.destroyed || session.ping(() => {})),
    drop: () => session.destroy(),
  };
  keepalive.watch(connection);
  session.once('close', () => keepalive.forget(connection));
}
