import type { Slices } from '../slices.ts';
import type { Answers } from '../state/answers.ts';
import { type Group, type Snapshot, versionText } from '../state/snapshot.ts';
import type { Subscription } from '../stream/subscription.ts';
import { buildDeltaResponse, buildSotwResponse } from '../wire/discovery-messages.ts';
import type { Plan, Removals } from './due.ts';
import { planDelta } from './respond-delta.ts';
import { planSotw } from './respond-sotw.ts';

/** State of the World or Delta. */
export type XdsVariant = 'sotw' | 'delta';

/** A response, ready to be written to every stream that stands where this one stood. */
export interface Response extends Plan {
  readonly send: true;
  readonly bytes: Buffer;
  readonly version: string;
  readonly nonce: string;
  /** Grows with each response built: a nonce is one use of a number, in base 36. */
  readonly sequence: number;
  readonly names: readonly string[];
}

/** Where a response is built: the resources, and the group that looks at them. */
interface Stand<M> {
  readonly snapshot: Snapshot<M>;
  readonly group: Group<M>;
}

// Names in a state that need not be compared with any other's.
const sharedNamesMax = 256;
// To compare a state of more names costs about what its answer does.
const comparedNamesMax = 2_000;

/** Numbers responses: `nextSequence` is called once for each response built. */
export interface Sequence {
  nextSequence(): number;
}

/**
 * The response that another stream of the group was sent in the same state, if any. The nonce is part of its
 * bytes: it has to be unique on a stream only, so a stream that was sent this number before gets a copy with
 * a number of its own.
 */
export function knownAnswer(
  sub: Subscription,
  group: Group<unknown>,
  protocol: XdsVariant,
  removals: Removals,
): PlannedResponse | undefined {
  if (isAlone(sub, group)) return undefined;
  const known = (group.responses as Answers<PlannedResponse>).get(stateKey(sub, protocol, removals));
  // Sequence numbers grow: a response that is newer than the last one sent was not sent to this stream.
  return known !== undefined && (!known.send || sub.sequence < known.sequence) ? known : undefined;
}

/** Nobody else stands in a state of so many names where nobody else is. */
function isAlone(sub: Subscription, group: Group<unknown>): boolean {
  const named = sub.fresh.size + sub.gone.size + sub.held.size;
  return named > sharedNamesMax && (named > comparedNamesMax || group.members.size < 2);
}

/**
 * The response that a subscription is due. Streams that have confirmed the same versions get the same bytes,
 * which the group keeps by that state.
 */
export function* respond<M>(
  sub: Subscription,
  { snapshot, group }: Stand<M>,
  protocol: XdsVariant,
  sequence: Sequence,
  removals: Removals,
): Slices<PlannedResponse> {
  const known = knownAnswer(sub, group as Group<unknown>, protocol, removals);
  if (known !== undefined) return known;
  const isShared = !isAlone(sub, group as Group<unknown>);
  const key = isShared ? stateKey(sub, protocol, removals) : '';
  const { changedAt } = group;
  const made = yield* answer(sub, { snapshot, group }, protocol, sequence, removals);
  if (isShared && group.changedAt === changedAt) (group.responses as Answers<PlannedResponse>).set(key, made);
  return made;
}

function* answer<M>(
  sub: Subscription,
  { snapshot, group }: Stand<M>,
  protocol: XdsVariant,
  sequence: Sequence,
  removals: Removals,
): Slices<PlannedResponse> {
  const plan = yield* (protocol === 'sotw' ? planSotw : planDelta)(sub, snapshot, group, removals);
  if (!plan.send) return { ...plan, send: false };
  return yield* build(plan, sub, group, protocol, sequence.nextSequence());
}

/** What is found for a state: what to say, or that nothing is to be said. */
export type PlannedResponse = Response | (Plan & { readonly send: false });

function* build<M>(
  plan: Plan,
  sub: Subscription,
  group: Group<M>,
  protocol: XdsVariant,
  sequence: number,
): Slices<Response> {
  const nonce = sequence.toString(36);
  const names = plan.resources.map((resource) => resource.name);
  // With something held, or refused before, the client's state is not the group's.
  const exact = plan.held.size === 0 && sub.rejected.size === 0;
  const version = versionText(group.version) + (exact ? '' : `-${nonce}`);
  const head = { typeUrl: sub.rule.url, version, nonce };
  const bytes =
    protocol === 'sotw'
      ? buildSotwResponse(head, plan.resources)
      : yield* buildDeltaResponse(head, plan.resources, plan.removed);
  return { ...plan, send: true, bytes, version, nonce, sequence, names };
}

/** Everything that decides a response besides the group's state. Nearly always short. */
function stateKey(sub: Subscription, protocol: XdsVariant, removals: Removals): string {
  const flags = `${protocol} ${removals} ${sub.revision} ${sub.all} ${sub.answer}`;
  if (sub.fresh.size + sub.gone.size + sub.held.size + sub.rejected.size === 0) return flags;
  const held = [...sub.held].map(([name, { last }]) => `${name}=${last?.version}`);
  return JSON.stringify([flags, [...sub.fresh], [...sub.gone], held, sub.rejected.size > 0]);
}
