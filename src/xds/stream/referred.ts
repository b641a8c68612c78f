import { sees } from '../state/snapshot.ts';
import type { Subscribed } from './subscribed.ts';
import { addFresh, type Subscription } from './subscription.ts';

/**
 * What was sent to a stream refers to by name, of types that it has not asked for yet: it will want that
 * again.
 */
export class Referred {
  readonly #byType = new Map<string, Set<string>>();

  /**
   * A stream was sent a resource that names others: it is sent those anew, at once or when it asks for the
   * type.
   */
  tell(
    typeUrl: string,
    names: readonly string[],
    target: Pick<Subscribed<unknown>, 'sub' | 'group'> | undefined,
  ): void {
    if (target === undefined) this.#note(typeUrl, names);
    else
      for (const name of names)
        if (sees(target.group, name) && !target.sub.fresh.has(name)) addFresh(target.sub, name, 'again');
  }

  #note(typeUrl: string, names: readonly string[]): void {
    const known = this.#byType.get(typeUrl) ?? new Set();
    this.#byType.set(typeUrl, known);
    for (const name of names) known.add(name);
  }

  /** The stream asks for the type. */
  takeTo(sub: Subscription): void {
    for (const name of this.#byType.get(sub.rule.url) ?? []) addFresh(sub, name, 'again');
    this.#byType.delete(sub.rule.url);
  }
}
