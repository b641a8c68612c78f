import type { Random } from '../../base/random.ts';
import { each, type Slices } from '../slices.ts';
import type { Mark } from '../state/marks.ts';
import {
  addToSend,
  confirm,
  forgetRejected,
  isPending,
  mutableRejected,
  type ResourceRefusal,
  type Sent,
  type Subscription,
} from './subscription.ts';

/** Limits on how often a refused resource is offered again; docs/defaults.md states them. */
export const offerLimits = {
  /** The first pause; it doubles with each refusal of the same content. */
  pauseMs: 1_000,
  pauseMsMax: 60_000,
  /** A pause is longer for a long response: re-offers to a stream stay below this many bytes a second. */
  bytesPerSecond: 4_096,
} as const;

/** Refusals of one type that keep their whole message; those beyond keep a cut one. */
const wholeTextsMax = 1_000;
const cutTextLength = 256;

/** A copy: a substring would keep the whole string alive. */
function cutTo(text: string): string {
  return text.length <= cutTextLength ? text : Buffer.from(text.slice(0, cutTextLength)).toString();
}

/** Estimated bytes of refusals of so many names of one type. A message has up to 4,096. */
export function refusalBytes(names: number): number {
  return 500 * names + 4_096 * Math.min(names, wholeTextsMax);
}

/** Context of a NACK: time in ms, randomness, and the current version of a name. */
interface RefusalContext {
  readonly now: number;
  readonly random: Random;
  /** Whether the next response can carry a part of the resources. */
  readonly divisible: boolean;
  versionOf(name: string): string | undefined;
  readonly addedRevision: AddedRevisionOf;
}

/**
 * The resources that a NACK's message blames, of those sent; undefined if it names none. Envoy lists `Error
 * adding/updating listener(s) NAME: why` (clusters alike), and has accepted the others
 * (source/common/listener_manager/lds_api.cc, source/common/upstream/cds_api_helper.cc).
 */
export function blamedBy(message: string, names: readonly string[]): string[] | undefined {
  const [, told] = /^Error adding\/updating (?:listener|cluster)\(s\) (.*)$/s.exec(message) ?? [];
  if (told === undefined) return undefined;
  const blamed = names.filter((name) => {
    const at = told.indexOf(`${name}: `);
    return at === 0 || (at > 0 && /\s/.test(told[at - 1] as string));
  });
  return blamed.length > 0 ? blamed : undefined;
}

/**
 * Records a NACK. Resources that the message blames, or the only one sent, are refused, and the others
 * accepted. If it blames none, all are suspects: halves are offered separately until the refused ones are
 * found. Refused resources are offered again after a pause, as the cause may be outside of them: a port in
 * use, a missing file. Names unsubscribed since do not count. `isNews`: this content was not refused before;
 * `refused`: which resources, empty if unknown.
 */
export function* refuse(
  sub: Subscription,
  sent: Sent,
  message: string,
  context: RefusalContext,
): Slices<{ readonly isNews: boolean; readonly refused: readonly string[] }> {
  const { names, removed, version, bytes } = sent.response;
  const blamed = blamedBy(message, names);
  const all = blamed ?? [...names, ...removed];
  const known = blamed !== undefined || all.length === 1;
  const rejected = mutableRejected(sub);
  const gone = new Set(removed);
  const suspects: string[] = [];
  const before = new Map<string, ResourceRefusal | undefined>();
  yield* each(all, (name) => {
    if (!sub.wildcard && !sub.set.names.has(name)) return;
    // Endpoints that were sent again after their removal, for a cluster that is held: never offered again.
    const removal = gone.has(name) ? undefined : sub.held.get(name);
    if (removal !== undefined) {
      sub.held = new Map([...sub.held, [name, { ...removal, isUnsure: true }]]);
      return;
    }
    suspects.push(name);
    before.set(name, rejected.get(name));
  });
  for (const some of [names, removed]) yield* each(some, (name) => void rejected.delete(name));
  if (rejected.size === 0) sub.offerAt = Number.POSITIVE_INFINITY;
  let news = suspects.length === 0;
  yield* each(suspects, (name) => {
    const earlier = before.get(name);
    const now = gone.has(name) ? undefined : context.versionOf(name);
    const same = earlier !== undefined && earlier.version === now;
    news ||= !same || (known && !earlier.isCertain);
    const pauseMs = same ? nextPause(earlier, context.divisible) : offerLimits.pauseMs;
    const leastMs = (bytes.length / offerLimits.bytesPerSecond) * 1000;
    const at = context.now + Math.max(pauseMs * (0.75 + context.random() / 2), leastMs);
    const confirmed = earlier?.confirmed ?? sub.confirmed;
    const words = {
      message: rejected.size < wholeTextsMax ? message : cutTo(message),
      refusedAt: context.now,
    };
    const hadOlder = earlier === undefined ? hadBefore(sub, name, context.addedRevision) : earlier.hadOlder;
    const older = hadOlder === undefined ? {} : { hadOlder };
    rejected.set(name, { confirmed, isCertain: known, version: now, ...older, ...words, at, pauseMs });
    sub.offerAt = Math.min(sub.offerAt, at);
  });
  // An empty response can be refused only if it is the whole state.
  const stands = rejected.size > 0 || (all.length === 0 && !context.divisible);
  sub.nacked = stands ? { version, at: context.now, message } : undefined;
  if (known || !stands) confirm(sub, sent);
  else if (context.divisible && suspects.length > 0) {
    const middle = Math.ceil(suspects.length / 2);
    sub.suspects = [suspects.slice(0, middle), suspects.slice(middle), ...sub.suspects];
  }
  return { isNews: news, refused: known ? suspects : [] };
}

/**
 * The pause after the same content was refused again. It doubles, except while the refused resources of a
 * response are still being found: the parts of it are offered without a pause.
 */
function nextPause({ isCertain, pauseMs }: ResourceRefusal, divisible: boolean): number {
  return isCertain || !divisible ? Math.min(2 * pauseMs, offerLimits.pauseMsMax) : pauseMs;
}

// So many are offered within a millisecond.
const offeredAtOnce = 1_000;

/** `offerAgain` for the first of some subscriptions of which very much is to be offered now, if any. */
export function offerMany(members: readonly Member[], clock: { now(): number }): Slices | undefined {
  const many = members.find(
    ({ sub, group }) =>
      sub.rejected.size > offeredAtOnce &&
      mayOffer(sub, group) &&
      (sub.suspects.length > 0 || clock.now() >= sub.offerAt),
  );
  return many && offerAgain(many.sub, many.group, clock);
}

type Offered = { readonly changedAt: number };
type Member = { readonly sub: Subscription; readonly group: Offered };

function mayOffer(sub: Subscription, group: Offered): boolean {
  return sub.rejected.size > 0 && sub.inFlight === undefined && !isPending(sub, group);
}

/**
 * Makes due the refused resources whose pause is over. Newer state goes first, and includes what it replaces.
 */
export function* offerAgain(sub: Subscription, group: Offered, clock: { now(): number }): Slices {
  if (!mayOffer(sub, group)) return;
  for (;;) {
    const [some, ...others] = sub.suspects;
    if (some === undefined) break;
    sub.suspects = others;
    yield* each(some, (name) => {
      if (sub.rejected.get(name)?.isCertain === false) addToSend(sub, name, 'again');
    });
    if (sub.toSend.size > 0) return;
  }
  const now = clock.now();
  if (now < sub.offerAt) return;
  // A resource offered now gets a new time if it is refused.
  sub.offerAt = now + offerLimits.pauseMs;
  let next = Number.POSITIVE_INFINITY;
  yield* each(sub.rejected, ([name, { at }]) => {
    if (at <= now) addToSend(sub, name, 'again');
    else next = Math.min(next, at);
  });
  sub.offerAt = Math.min(sub.offerAt, next);
}

/**
 * Forgets refusals of resources that were removed, and refused removals of resources that exist again. What
 * was removed is held as long as others: the client has an older version, and has confirmed nothing since.
 */
export function forgetRefused(sub: Subscription, marks: Pick<ReadonlyMap<string, Removable>, 'get'>): void {
  if (sub.rule.holdsRemovals) holdRefused(sub, marks);
  forgetRejected(sub, (name) => marks.get(name)?.resource !== undefined);
}

function holdRefused(sub: Subscription, marks: Pick<ReadonlyMap<string, Removable>, 'get'>): void {
  const held = new Map(sub.held);
  for (const [name, { version, confirmed }] of sub.rejected) {
    const { resource, last } = marks.get(name) ?? {};
    if (version === undefined || resource !== undefined || held.has(name)) continue;
    held.set(name, { revision: confirmed + 1, isUnsure: true, ...(last && { last }) });
  }
  if (held.size > sub.held.size) sub.held = held;
}

type Removable = Pick<Partial<Mark>, 'resource' | 'last'>;

/** The revision that added a resource; undefined if unknown. */
export type AddedRevisionOf = (name: string) => number | undefined;

/** Whether the client may still use an older version of a resource that it refused. */
export function mayUseOlderVersion(sub: Subscription, addedRevision: AddedRevisionOf): boolean {
  if (sub.nacked === undefined) return false;
  if (sub.rejected.size === 0) return true;
  for (const name of sub.rejected.keys()) if (mayHaveOlder(sub, name, addedRevision)) return true;
  return false;
}

/**
 * Whether the client had a resource before it was sent: as it has reported itself, or as was known when its
 * stream was moved; undefined if it has confirmed anything since.
 */
function hadBefore(
  { movedFrom, lacked }: Subscription,
  name: string,
  addedRevision: AddedRevisionOf,
): boolean | undefined {
  if (lacked.has(name)) return false;
  if (movedFrom === undefined) return undefined;
  if (movedFrom.had.has(name)) return movedFrom.had.get(name) !== undefined;
  return (addedRevision(name) ?? 0) <= movedFrom.revision;
}

/** Whether the client may have an older version of one resource that it refused. */
export function mayHaveOlder(sub: Subscription, name: string, addedRevision: AddedRevisionOf): boolean {
  const { confirmed = sub.confirmed, hadOlder } = sub.rejected.get(name) ?? {};
  if (hadOlder !== undefined) return hadOlder;
  return confirmed === 0 ? !sub.startedEmpty : (addedRevision(name) ?? 0) <= confirmed;
}
