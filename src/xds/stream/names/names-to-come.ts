import type { Concern } from '../../events.ts';
import { type Group, isSubscribedTo } from '../../state/snapshot.ts';

/**
 * How long after its answer a client has for subscribing to what it was told of, in milliseconds. Envoy
 * writes the request with the answer.
 */
const followMsMax = 500;

/** Names of one type. */
interface ToCome {
  readonly typeUrl: string;
  /** Undefined: the type itself has not been requested. */
  names: Set<string> | undefined;
  /** Changes from this revision on are not confirmed without them. */
  revision: number;
  /** In the server's clock; not before the client has answered. */
  until: number;
}

/**
 * Resources that a stream was told of by others, such as a cluster's endpoints or a scope's routes, and has
 * not subscribed to yet. Between its ACK of the one and its request for the other it lacks nothing that it
 * subscribes to, and yet has not all of the change.
 */
export class NamesToCome {
  /** By the type that refers to them: listeners and scopes both refer to routes. */
  readonly #from = new Map<string, ToCome>();

  /**
   * A response of type `from` refers to these of a type; `group`: what the stream subscribes to of that,
   * undefined for nothing.
   */
  sent(
    { from, typeUrl }: { readonly from: string; readonly typeUrl: string },
    refs: readonly string[],
    group: Pick<Group<unknown>, 'wildcard' | 'set'> | undefined,
    revision: number,
  ): void {
    const names = group && new Set(refs.filter((name) => !isSubscribedTo(group, name)));
    if (names?.size === 0) return;
    const known = this.#from.get(from);
    const all = names && known?.names ? new Set([...names, ...known.names]) : names;
    const since = Math.min(revision, known?.revision ?? revision);
    this.#from.set(from, { typeUrl, names: all, revision: since, until: Number.POSITIVE_INFINITY });
  }

  /** The client has answered a response of a type. */
  answered(from: string, now: number): void {
    const known = this.#from.get(from);
    if (known !== undefined) known.until = now + followMsMax;
  }

  /** The client has requested a type. */
  subscribed(typeUrl: string, group: Group<unknown>): void {
    for (const [from, known] of this.#from) {
      if (known.typeUrl !== typeUrl) continue;
      for (const name of known.names ?? []) if (isSubscribedTo(group, name)) known.names?.delete(name);
      if (known.names === undefined || known.names.size === 0) this.#from.delete(from);
    }
  }

  /** Gives up what the client did not ask for in time; returns whether there was any. */
  expire(clock: { now(): number }): boolean {
    // Nearly always: every answer comes here.
    if (this.#from.size === 0) return false;
    const now = clock.now();
    let isAny = false;
    for (const [from, { until }] of this.#from) if (until <= now) isAny = this.#from.delete(from);
    return isAny;
  }

  /** Whether a part of a concern is still to come. */
  isPartOf({ revision, types, resources }: Concern): boolean {
    if (this.#from.size === 0) return false;
    for (const one of this.#from.values()) {
      if (one.revision > revision || types?.includes(one.typeUrl) === false) continue;
      const wanted = resources?.get(one.typeUrl);
      if (resources === undefined || (wanted !== undefined && meets(wanted, one.names))) return true;
    }
    return false;
  }
}

function meets(wanted: ReadonlySet<string>, names: ReadonlySet<string> | undefined): boolean {
  if (names === undefined) return true;
  for (const name of names) if (wanted.has(name)) return true;
  return false;
}
