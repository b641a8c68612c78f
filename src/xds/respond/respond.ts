import type { Random } from '../../base/random.ts';
import { versionText } from '../codec/version-sum.ts';
import type { Slices } from '../slices.ts';
import type { ResponseCache } from '../state/response-cache.ts';
import type { Group, Snapshot } from '../state/snapshot.ts';
import type { Subscription } from '../stream/subscription.ts';
import { buildDeltaResponse, buildSotwResponse } from '../wire/discovery-messages.ts';
import type { Removals, ResponsePlan } from './due.ts';
import { planDelta } from './respond-delta.ts';
import { planSotw } from './respond-sotw.ts';

/** State of the World or Delta. */
export type XdsVariant = 'sotw' | 'delta';

/** A response, ready to be written to every stream in the same state. */
export interface Response extends ResponsePlan {
  readonly send: true;
  readonly bytes: Buffer;
  readonly version: string;
  readonly nonce: string;
  /** Increases with each response built; its text in base 36 is the nonce. */
  readonly sequence: number;
  readonly names: readonly string[];
}

/** The resources and the group that a response is built from. */
interface ResponseInput<M> {
  readonly snapshot: Snapshot<M>;
  readonly group: Group<M>;
}

// Up to this many names a state is always compared with others'.
const sharedNamesMax = 256;
// Comparing a state of more names costs about as much as building its response.
const comparedNamesMax = 2_000;

/** Numbers responses; `nextSequence` is called once for each response built. */
export interface Sequence {
  nextSequence(): number;
}

/**
 * The number before a server's first response, random: some clients continue with the nonce of their previous
 * stream, to this server before a restart or to another one, and it must not be the nonce of a response here.
 * Below 2^30, as V8 keeps small integers in place and larger ones in an object each.
 */
export function firstSequence(random: Random): number {
  return Math.floor(random() * 2 ** 30);
}

/**
 * The cached response for the same state of another stream, if any. A nonce has to be unique only within a
 * stream, so the bytes can be shared by streams that were not sent this number yet.
 */
export function cachedAnswer(
  sub: Subscription,
  group: Group<unknown>,
  protocol: XdsVariant,
  removals: Removals,
): PlannedResponse | undefined {
  if (isAlone(sub, group)) return undefined;
  const known = (group.responses as ResponseCache<PlannedResponse>).get(stateKey(sub, protocol, removals));
  // Sequence numbers increase: a response newer than the last one sent was not sent to this stream.
  return known !== undefined && (!known.send || sub.sequence < known.sequence) ? known : undefined;
}

/** Whether looking for another stream in the same state is not worthwhile. */
function isAlone(sub: Subscription, group: Group<unknown>): boolean {
  const named = sub.toSend.size + sub.gone.size + sub.held.size;
  return named > sharedNamesMax && (named > comparedNamesMax || group.members.size < 2);
}

/**
 * The response due to a subscription. Streams of a group that have confirmed the same versions get the same
 * bytes; they are cached by that state.
 */
export function* respond<M>(
  sub: Subscription,
  { snapshot, group }: ResponseInput<M>,
  protocol: XdsVariant,
  sequence: Sequence,
  removals: Removals,
): Slices<PlannedResponse> {
  const known = cachedAnswer(sub, group as Group<unknown>, protocol, removals);
  if (known !== undefined) return known;
  const isShared = !isAlone(sub, group as Group<unknown>);
  const key = isShared ? stateKey(sub, protocol, removals) : '';
  const { changedAt } = group;
  const made = yield* planResponse(sub, { snapshot, group }, protocol, sequence, removals);
  if (isShared && group.changedAt === changedAt)
    (group.responses as ResponseCache<PlannedResponse>).set(key, made, group.members.size > 1);
  return made;
}

function* planResponse<M>(
  sub: Subscription,
  { snapshot, group }: ResponseInput<M>,
  protocol: XdsVariant,
  sequence: Sequence,
  removals: Removals,
): Slices<PlannedResponse> {
  const plan = yield* (protocol === 'sotw' ? planSotw : planDelta)(sub, snapshot, group, removals);
  if (!plan.send) return { ...plan, send: false };
  return yield* build(plan, sub, group, protocol, sequence.nextSequence());
}

/** The result for a state: a response, or that nothing has to be sent. */
export type PlannedResponse = Response | (ResponsePlan & { readonly send: false });

function* build<M>(
  plan: ResponsePlan,
  sub: Subscription,
  group: Group<M>,
  protocol: XdsVariant,
  sequence: number,
): Slices<Response> {
  const nonce = sequence.toString(36);
  const names = plan.resources.map((resource) => resource.name);
  // With held or refused resources the client's state differs from the group's.
  const exact = plan.held.size === 0 && sub.rejected.size === 0;
  const version = versionText(group.version) + (exact ? '' : `-${nonce}`);
  const head = { typeUrl: sub.rule.url, version, nonce };
  const bytes =
    protocol === 'sotw'
      ? buildSotwResponse(head, plan.resources)
      : yield* buildDeltaResponse(head, plan.resources, plan.removed);
  return { ...plan, send: true, bytes, version, nonce, sequence, names };
}

/** Everything besides the group's state that determines a response. Nearly always short. */
function stateKey(sub: Subscription, protocol: XdsVariant, removals: Removals): string {
  const flags = `${protocol} ${removals} ${sub.revision} ${sub.all} ${sub.answer}`;
  if (sub.moved === undefined && sub.toSend.size + sub.gone.size + sub.held.size + sub.rejected.size === 0)
    return flags;
  // Also what its ACK confirms: streams of one state may have heard of a removal at different times.
  const held = Array.from(
    sub.held,
    ([name, { last, revision, isUnsure, moved }]) =>
      `${name}=${last?.version} ${revision} ${isUnsure === true} ${moved}`,
  );
  return JSON.stringify([flags, [...sub.toSend], [...sub.gone], held, sub.rejected.size > 0, sub.moved?.id]);
}
