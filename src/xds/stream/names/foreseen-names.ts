import { isSubscribedTo } from '../../state/snapshot.ts';
import type { Subscribed } from '../subscribed.ts';

/** How many names of one response are foreseen: the answer to more is long, and made by itself. */
const foreseenMax = 64;

const none: ReadonlySet<string> = new Set();

/**
 * Names that a stream counts as subscribed to although its client has not asked for them: what a response
 * names that is on its way, such as the endpoints of a new cluster and the table of a new scope. A client
 * that reads responses in their order asks for them as it reads that one, and then finds what it asked for;
 * without this each costs a round trip. What a client did not ask for before its answer it did not want: then
 * it is not subscribed to it.
 */
export class ForeseenNames {
  /** By type, with the type that names them. */
  readonly #byType = new Map<string, { readonly from: string; readonly names: Set<string> }>();

  /** Those of a response's names that the stream is not subscribed to, and which are now foreseen. */
  add(
    from: string,
    typeUrl: string,
    refs: readonly string[],
    group: Subscribed<unknown>['group'],
  ): ReadonlySet<string> {
    if (refs.length > foreseenMax) return none;
    const names = new Set(refs.filter((name) => !isSubscribedTo(group, name)));
    if (names.size === 0) return none;
    const known = this.#byType.get(typeUrl)?.names ?? [];
    this.#byType.set(typeUrl, { from, names: new Set([...known, ...names]) });
    return names;
  }

  /** The client asks for names, or leaves them; returns those of what it asks for that were foreseen. */
  asked(typeUrl: string, names: Iterable<string>, left: readonly string[]): ReadonlySet<string> {
    const foreseen = this.#byType.get(typeUrl)?.names;
    if (foreseen === undefined) return none;
    const found = new Set<string>();
    for (const name of names) if (foreseen.delete(name)) found.add(name);
    for (const name of left) foreseen.delete(name);
    if (foreseen.size === 0) this.#byType.delete(typeUrl);
    return found;
  }

  /**
   * The client has answered a response with these names; returns those that it has not asked for, which are
   * foreseen no more, and the type that names them.
   */
  answered(
    typeUrl: string,
    names: readonly string[],
  ): { readonly from: string; readonly names: readonly string[] } | undefined {
    const foreseen = this.#byType.get(typeUrl);
    const unasked = foreseen && names.filter((name) => foreseen.names.delete(name));
    if (foreseen?.names.size === 0) this.#byType.delete(typeUrl);
    return foreseen && unasked && unasked.length > 0 ? { from: foreseen.from, names: unasked } : undefined;
  }

  /** Whether all that is due of a type is foreseen, new to the stream, and such as `isAlone` allows. */
  isAll(member: Subscribed<unknown>, isAlone: (name: string) => boolean): boolean {
    const { sub, group, snapshot } = member;
    const foreseen = this.#byType.get(sub.rule.url)?.names;
    if (foreseen === undefined || sub.all || sub.answer || sub.moved !== undefined) return false;
    if (sub.gone.size + sub.held.size + sub.rejected.size > 0) return false;
    const { upserts, removed } = snapshot.since(group, sub.revision);
    if (removed.length > 0) return false;
    const due = [...sub.toSend.keys(), ...upserts.map(({ resource }) => resource.name)];
    return due.length > 0 && due.every((name) => foreseen.has(name) && isAlone(name));
  }
}
