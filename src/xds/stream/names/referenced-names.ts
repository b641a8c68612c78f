import type { StreamInfo } from '../../events.ts';
import type { TypeRule } from '../../resource-types.ts';
import { finish } from '../../slices.ts';
import type { NameSets } from '../../state/name-sets.ts';
import { isSubscribedTo } from '../../state/snapshot.ts';
import type { SendAhead } from '../session-host.ts';
import type { Subscribed } from '../subscribed.ts';
import { addToSend, type Sent, type Subscription } from '../subscription.ts';
import { ForeseenNames } from './foreseen-names.ts';
import { NamesToCome } from './names-to-come.ts';

const noNames = { wildcard: false, set: { key: '', names: new Set<string>(), bytes: 0 } };

/**
 * Resources referred to by what a stream was sent, of types that it has not requested yet. A changed cluster
 * warms until its endpoints are sent again, a changed listener until its routes are.
 */
export class ReferencedNames {
  readonly #byType = new Map<string, Set<string>>();
  /** Those that it is still to subscribe to. */
  readonly toCome = new NamesToCome();
  /** Those that it counts as subscribed to. */
  readonly foreseen = new ForeseenNames();

  /** How many names it holds. */
  get size(): number {
    return [...this.#byType.values()].reduce((sum, names) => sum + names.size, 0);
  }

  /**
   * A stream was sent resources of a type that refer to others: if it needs these again, they are sent, at
   * once or when it requests their type. `revision`: that of what was sent. With `sets` the stream is
   * subscribed to what goes ahead, as its client will when it reads that; returns whether it is to more than
   * before.
   */
  add(
    { url, refersTo: typeUrl = '', refersAgain, refersAhead }: TypeRule,
    names: readonly string[],
    target: Pick<Subscribed<unknown>, 'sub' | 'group'> | undefined,
    revision: number,
    sets?: NameSets,
  ): boolean {
    this.toCome.sent({ from: url, typeUrl }, names, target?.group, revision);
    if (refersAgain && target === undefined) this.#keepForLater(typeUrl, names);
    if (target === undefined) return false;
    if (refersAgain)
      for (const name of names)
        if (isSubscribedTo(target.group, name) && !target.sub.toSend.has(name))
          addToSend(target.sub, name, 'again');
    return refersAhead === true && sets !== undefined && this.#foresee(url, names, target, sets);
  }

  #foresee(
    from: string,
    refs: readonly string[],
    { sub, group }: Pick<Subscribed<unknown>, 'sub' | 'group'>,
    sets: NameSets,
  ): boolean {
    const names = this.foreseen.add(from, sub.rule.url, refs, group);
    if (names.size === 0) return false;
    sub.set = finish(sets.change(sub.set, sets.intern(names), []));
    for (const name of names) addToSend(sub, name, 'new');
    return true;
  }

  /** Whether all that is due of a type may be sent before the answers to what it names. */
  mayPrecede(
    member: Subscribed<unknown>,
    { nodeClass }: Pick<StreamInfo, 'nodeClass'>,
    { sendAhead }: { readonly sendAhead: SendAhead | undefined },
  ): boolean {
    if (sendAhead === undefined) return false;
    const { url } = member.sub.rule;
    return this.foreseen.isAll(member, (name) => sendAhead(nodeClass, url, name));
  }

  /** What a client has answered and never asked for: it is not subscribed to that, which is still to come. */
  notAskedFor(
    { rule, revision }: Subscription,
    verdict: string,
    sent: Sent | undefined,
    now: number,
  ): readonly string[] {
    if (sent === undefined || (verdict !== 'ack' && verdict !== 'nack')) return [];
    const found = this.foreseen.answered(rule.url, sent.response.names);
    if (found === undefined) return [];
    this.toCome.sent({ from: found.from, typeUrl: rule.url }, found.names, noNames, revision);
    this.toCome.answered(found.from, now);
    return found.names;
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
