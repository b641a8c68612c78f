import { ownBytes } from '../codec/own-bytes.ts';
import { each, type Slices } from '../slices.ts';
import type { NameSets } from '../state/name-sets.ts';
import type { SotwRequest } from '../wire/discovery-messages.ts';
import { dropUnsubscribed, type Subscription } from './subscription.ts';

// Some thousand names. A client with more is served when it repeats its request.
const keptBytesMax = 64 * 1024;

/**
 * Requests of a State of the World stream that were ignored for their stale nonce: the last one of each type.
 * A client normally answers the response under way, and repeats its names with the answer. One that does not
 * (grpc-java before 1.65, of a type from which it had just unsubscribed) never asks again: its request counts
 * once the answer is overdue. This happens once until the client answers, so that a client which is only slow
 * is not sent more and more.
 */
export class IgnoredRequests {
  /** By type URL; undefined: one has been taken, and none is kept until the client answers. */
  readonly #lastByType = new Map<string, SotwRequest | undefined>();

  /** Memory of the kept requests, in bytes. */
  get bytes(): number {
    let bytes = 0;
    for (const request of this.#lastByType.values())
      bytes += request === undefined ? 0 : request.names.length + 2 * (request.error?.length ?? 0);
    return bytes;
  }

  /**
   * Notes a request: one that was ignored is kept instead of an earlier one; one that was 'taken' despite its
   * nonce, or is valid, makes earlier ones void. Returns whether `bytes` may have changed.
   */
  note(request: SotwRequest, as: 'ignored' | 'taken' | 'valid'): boolean {
    const { typeUrl, names } = request;
    const before = this.#lastByType.get(typeUrl);
    if (as === 'valid') this.#lastByType.delete(typeUrl);
    else if (as === 'taken') this.#lastByType.set(typeUrl, undefined);
    else if (before === undefined && this.#lastByType.has(typeUrl)) return false;
    else if (names.length > keptBytesMax) this.#lastByType.delete(typeUrl);
    else this.#lastByType.set(typeUrl, { ...request, node: undefined, names: ownBytes(names) });
    return before !== this.#lastByType.get(typeUrl);
  }

  /** The next kept request whose type `isOverdue`; undefined: there is none. It is to be noted as 'taken'. */
  next(isOverdue: (typeUrl: string) => boolean): SotwRequest | undefined {
    for (const [typeUrl, request] of this.#lastByType)
      if (request !== undefined && isOverdue(typeUrl)) return request;
    return undefined;
  }
}

// Equals the names of no request: those begin with a tag.
const namesOfNone = Buffer.of(0);

/**
 * Unsubscribes from what a request that was ignored no longer names, and calls `left` if there is any of it.
 * The client forgets these resources. If its answer to the response under way names them again, they are new
 * to it, and are sent again. What the request adds is not needed: the answer has it too.
 */
export function* leaveNames(names: Buffer, sub: Subscription, sets: NameSets, left: () => void): Slices {
  // Their responses are complete: the one under way has what the client names again.
  if (sub.wildcard || sub.rule.fullState) return;
  const { set } = yield* sets.read(names);
  const unnamed: string[] = [];
  yield* each(sub.set.names, (name) => {
    if (!set.names.has(name)) unnamed.push(name);
  });
  if (unnamed.length === 0) return;
  sub.set = yield* sets.change(sub.set, sets.empty, unnamed);
  sub.lastNames = namesOfNone;
  yield* dropUnsubscribed(sub);
  left();
}
