import type { TypeRule } from '../resource-types.ts';
import { isSubscribedTo } from '../state/snapshot.ts';
import { NamesToCome } from './names-to-come.ts';
import type { Subscribed } from './subscribed.ts';
import { addToSend, type Subscription } from './subscription.ts';

/**
 * Resources referred to by what a stream was sent, of types that it has not requested yet. A changed cluster
 * warms until its endpoints are sent again, a changed listener until its routes are.
 */
export class ReferencedNames {
  readonly #byType = new Map<string, Set<string>>();
  /** Those that it is still to subscribe to. */
  readonly toCome = new NamesToCome();

  /** How many names it holds. */
  get size(): number {
    return [...this.#byType.values()].reduce((sum, names) => sum + names.size, 0);
  }

  /**
   * A stream was sent resources of a type that refer to others: if it needs these again, they are sent, at
   * once or when it requests their type. `revision`: that of what was sent.
   */
  add(
    { url, refersTo: typeUrl = '', refersAgain }: TypeRule,
    names: readonly string[],
    target: Pick<Subscribed<unknown>, 'sub' | 'group'> | undefined,
    revision: number,
  ): void {
    this.toCome.sent({ from: url, typeUrl }, names, target?.group, revision);
    if (!refersAgain) return;
    if (target === undefined) this.#keepForLater(typeUrl, names);
    else
      for (const name of names)
        if (isSubscribedTo(target.group, name) && !target.sub.toSend.has(name))
          addToSend(target.sub, name, 'again');
  }

  #keepForLater(typeUrl: string, names: readonly string[]): void {
    const known = this.#byType.get(typeUrl) ?? new Set();
    this.#byType.set(typeUrl, known);
    for (const name of names) known.add(name);
  }

  /** The stream requests the type. */
  moveTo(sub: Subscription): void {
    for (const name of this.#byType.get(sub.rule.url) ?? []) addToSend(sub, name, 'again');
    this.#byType.delete(sub.rule.url);
  }
}
