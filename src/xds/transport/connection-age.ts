import type { ServerHttp2Session } from 'node:http2';
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';

/** When a connection is too old. */
export interface ConnectionAge {
  readonly clock: Clock;
  readonly random: Random;
  /** Milliseconds. Each connection ends at an age of its own, at random, between half of this and this. */
  readonly maxMs: number;
}

/**
 * Ends connections that have had a stream when they are old, so that their clients choose a server again:
 * a server that was started after the others gets its share. Those that came at once do not leave at once.
 */
export class ConnectionAges {
  readonly #age: ConnectionAge;
  readonly #leave: (session: ServerHttp2Session) => void;
  readonly #known = new WeakSet<ServerHttp2Session>();

  /** `leave` ends a connection and its streams. */
  constructor(age: ConnectionAge, leave: (session: ServerHttp2Session) => void) {
    this.#age = age;
    this.#leave = leave;
  }

  /** A stream of the connection begins; may be called again. */
  used(session: ServerHttp2Session): void {
    if (this.#known.has(session) || session.destroyed) return;
    this.#known.add(session);
    const { clock, random, maxMs } = this.#age;
    const timer = clock.after(maxMs * (0.5 + random() / 2), () => this.#leave(session));
    session.once('close', () => timer.cancel());
  }
}
