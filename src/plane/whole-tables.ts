import type { Clock, Timer } from '../base/clock.ts';
import type { ListenerRole } from '../plan/types.ts';
import { routedListeners } from '../translate/resources.ts';
import type { FirstSubscription } from '../xds/events.ts';
import { routeType } from '../xds/resource-types.ts';
import type { Pipeline } from './pipeline.ts';
import { scopeOf } from './streams.ts';

/** What whole route tables need. */
interface WholeTablesOptions {
  readonly clock: Clock;
  readonly pipeline: Pick<Pipeline, 'serveWhole'>;
  /** Whether a stream of a class subscribes to a route table. */
  isSubscribed(nodeClass: string, name: string): boolean;
}

/** How often it is checked whether a table is still used, in milliseconds. */
export const wholeTableCheckMs = 10_000;

/**
 * Serves all routes of a listener as one table to proxies that ask for it. A proxy that connects with
 * listeners of an older version asks for their table. It takes the new listeners at once, but open
 * connections stay with the old ones until these have drained, ten minutes by Envoy's default: Groups that
 * come and go meanwhile do so there too. Nothing is built once no proxy asks.
 */
export class WholeTables {
  readonly #options: WholeTablesOptions;
  readonly #used = new Map<string, readonly ListenerRole[]>();
  #timer: Timer | undefined;

  constructor(options: WholeTablesOptions) {
    this.#options = options;
  }

  /** A stream has asked for a type. */
  subscribed({ stream, typeUrl, names }: FirstSubscription): void {
    if (typeUrl !== routeType) return;
    const known = this.#used.get(stream.nodeClass) ?? [];
    const asked = routedListeners(scopeOf(stream.node)).filter(names);
    if (asked.every((listener) => known.includes(listener))) return;
    this.#serve(stream.nodeClass, [...new Set([...known, ...asked])]);
  }

  /** A class was dropped. */
  forget(nodeClass: string): void {
    this.#used.delete(nodeClass);
  }

  close(): void {
    this.#timer?.cancel();
  }

  #serve(nodeClass: string, listeners: readonly ListenerRole[]): void {
    if (listeners.length === 0) this.#used.delete(nodeClass);
    else this.#used.set(nodeClass, listeners);
    this.#options.pipeline.serveWhole(nodeClass, listeners);
    this.#checkLater();
  }

  #check(): void {
    this.#timer = undefined;
    for (const [nodeClass, listeners] of [...this.#used]) {
      const used = listeners.filter((listener) => this.#options.isSubscribed(nodeClass, listener));
      if (used.length < listeners.length) this.#serve(nodeClass, used);
    }
    this.#checkLater();
  }

  #checkLater(): void {
    if (this.#used.size > 0)
      this.#timer ??= this.#options.clock.after(wholeTableCheckMs, () => this.#check());
  }
}
