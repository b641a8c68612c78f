import type { Cause } from '../cause.ts';
import type { EncodedResource } from '../codec/codec.ts';
import type { TypeRule } from '../resource-types.ts';
import { each, type Slices } from '../slices.ts';
import type { NameSet, NameSets, ReadNames } from '../state/name-sets.ts';
import type { Group } from '../state/snapshot.ts';

/** A response that was sent, shared by all streams that had confirmed the same versions. */
interface Said {
  readonly nonce: string;
  readonly version: string;
  /** Names of the resources in it, and of those told as removed (Delta). */
  readonly names: readonly string[];
  readonly removed: readonly string[];
  readonly causes: readonly Cause[];
  readonly superseded: readonly Cause[];
  readonly bytes: Uint8Array;
}

/** A response as it was sent to one stream. */
export interface Sent {
  readonly response: Said;
  /** The state that its ACK confirms. */
  readonly revision: number;
  readonly sentAt: number;
  /** Removals that were held until then, and that it carries out. */
  readonly released: ReadonlySet<string>;
  /** Its bytes, where no other stream was sent them; else 0. */
  readonly own: number;
}

/** A removal that waits: its revision, its cause and the last content, as far as they are known here. */
export interface Held {
  readonly revision?: number;
  readonly cause?: Cause;
  readonly last?: EncodedResource;
}

/** Why a resource is not in force at a client, and when it is offered again. One for all refused alike. */
export interface ResourceRefusal {
  /** The state that the client had confirmed before it refused the resource first. */
  readonly confirmed: number;
  /** Whether it is this resource that was refused; else only one of those that were sent with it. */
  readonly known: boolean;
  /** What was refused; undefined for a removal. */
  readonly version: string | undefined;
  /** The client's words, and when it said them, in the server's clock. */
  readonly message: string;
  readonly refusedAt: number;
  /** When it is offered again, in the server's clock (ms), and the pause before that, without its jitter. */
  readonly at: number;
  readonly pauseMs: number;
}

/**
 * What one stream wants of one type, what it was sent and what it said to that. The functions below are the
 * protocol's rules on it; they neither send nor know the time. Quotes are from Envoy's "xDS REST and gRPC
 * protocol".
 */
export interface Subscription {
  readonly rule: TypeRule;
  wildcard: boolean;
  /** The wildcard came from an empty first request, and ends when names are given (State of the World). */
  legacy: boolean;
  /** It has subscribed to a name, or left the wildcard: an empty request is the wildcard no more (Delta). */
  explicit: boolean;
  set: NameSet;
  /** The names as the client last wrote them, to see that an ACK repeats them. */
  lastNames: Buffer;
  /** State up to this revision was sent (or is told by what follows). */
  revision: number;
  /** State up to this revision was ACKed, or needed no saying; what is `held` or `rejected` apart. */
  confirmed: number;
  /** Everything that is subscribed must be sent. */
  all: boolean;
  /** A request waits for its answer, be it empty. */
  answer: boolean;
  /** Names sent whether they changed or not: 'new' to the stream, or needed 'again'. See `addFresh`. */
  fresh: ReadonlyMap<string, 'new' | 'again'>;
  /** How many of them the client has just left beside a wildcard, and how long they are together. */
  leftNames: number;
  leftLength: number;
  /** Names that the client has from an earlier stream and that are no more (Delta). */
  gone: ReadonlySet<string>;
  /** Removed resources that the client must keep until nothing names them any more. */
  held: ReadonlyMap<string, Held>;
  /** Resources that were refused, or sent with one that was, and that no ACK came for since. */
  rejected: ReadonlyMap<string, ResourceRefusal>;
  /** None of them is offered again before this, in the server's clock. */
  offerAt: number;
  /** Of these, the ones that are offered apart from each other, to find out which is refused. */
  suspects: readonly (readonly string[])[];
  /** The client had nothing of this type when the stream began. */
  blank: boolean;
  inFlight: Sent | undefined;
  nonce: string;
  /** The number of which the nonce is the text; 0 before the first response. */
  sequence: number;
  acked: { readonly version: string; readonly at: number } | undefined;
  /** The last NACK, as long as something is rejected. */
  nacked: { readonly version: string; readonly at: number; readonly message: string } | undefined;
}

// Nothing, one for all: nearly every subscription has nothing of nearly each kind, and each push looks.
// Collections of their own would be a walk through memory for each stream and type.
const noFresh: Subscription['fresh'] = new Map();
const noNames: ReadonlySet<string> = new Set();
const noneHeld: Subscription['held'] = new Map();
const noneRejected: Subscription['rejected'] = new Map();
const noSuspects: Subscription['suspects'] = [];

/** A subscription before its first request. */
export function newSubscription(rule: TypeRule, empty: NameSet, blank: boolean): Subscription {
  return {
    rule,
    wildcard: false,
    legacy: false,
    explicit: false,
    set: empty,
    lastNames: Buffer.alloc(0),
    revision: 0,
    confirmed: 0,
    all: false,
    answer: false,
    fresh: noFresh,
    leftNames: 0,
    leftLength: 0,
    gone: noNames,
    held: noneHeld,
    rejected: noneRejected,
    offerAt: Number.POSITIVE_INFINITY,
    suspects: noSuspects,
    blank,
    inFlight: undefined,
    nonce: '',
    sequence: 0,
    acked: undefined,
    nacked: undefined,
  };
}

/** What a request's nonce says of the last response. */
type RequestVerdict = 'none' | 'stale' | 'repeat' | 'ack' | 'nack';

/**
 * Judges the nonce of a request and notes an ACK; a NACK is for `refuse` to note. 'stale' answers an older
 * response; 'repeat' comes after the last response was already answered; 'none' answers nothing: a first
 * request, or a nonce of an earlier stream.
 */
export function judgeRequest(
  sub: Subscription,
  nonce: string,
  error: string | undefined,
  now: number,
): RequestVerdict {
  if (nonce === '' || sub.nonce === '') return 'none';
  if (nonce !== sub.nonce) return 'stale';
  const sent = sub.inFlight;
  if (sent === undefined) return 'repeat';
  sub.inFlight = undefined;
  if (error !== undefined) return 'nack';
  sub.acked = { version: sent.response.version, at: now };
  sub.confirmed = sent.revision;
  if (sub.nacked === undefined) return 'ack';
  // What was rejected before and not sent since is still not in force.
  acceptRejected(sub, sent.response.names);
  acceptRejected(sub, sent.response.removed);
  endNack(sub);
  return 'ack';
}

/** Refusals that may be changed: of this subscription alone. */
export function ownRejected(sub: Subscription): Map<string, ResourceRefusal> {
  if (sub.rejected === noneRejected) sub.rejected = new Map();
  return sub.rejected as Map<string, ResourceRefusal>;
}

function acceptRejected(sub: Subscription, names: Iterable<string>): void {
  if (sub.rejected.size === 0) return;
  const own = ownRejected(sub);
  for (const name of names) own.delete(name);
}

/** With the last refusal goes the NACK. */
function endNack(sub: Subscription): void {
  if (sub.rejected.size > 0) return;
  sub.rejected = noneRejected;
  sub.offerAt = Number.POSITIVE_INFINITY;
  sub.nacked = undefined;
  sub.suspects = noSuspects;
}

/** Forgets refusals but for those that are kept. */
function keepRejected(sub: Subscription, keep: (name: string, refusal: ResourceRefusal) => boolean): void {
  for (const [name, refusal] of sub.rejected) if (!keep(name, refusal)) ownRejected(sub).delete(name);
  endNack(sub);
}

/** What a SotW request is beside its names: the first of its type, an answer, with an error. */
export interface SotwContext {
  readonly first: boolean;
  readonly verdict: RequestVerdict;
  readonly error: boolean;
}

/** Takes the names of a SotW request whose verdict is not 'stale'. */
export function* subscribeSotw(sub: Subscription, names: ReadNames, request: SotwContext): Slices {
  const none = names.raw.length === 0;
  const before = { wildcard: sub.wildcard, set: sub.set };
  // "the first request ... with an empty resource_names field": all, for types that have a wildcard.
  if (request.first) sub.legacy = none && sub.rule.wildcard;
  else if (!none) sub.legacy = false;
  sub.wildcard = names.star || sub.legacy;
  sub.set = names.set;
  sub.lastNames = names.raw;
  if (request.first || before.wildcard !== sub.wildcard) {
    sub.all = sub.wildcard || sub.set.names.size > 0;
    sub.answer = sub.all;
    yield* dropUnsubscribed(sub);
    return;
  }
  if (before.set === sub.set) {
    repeatSotw(sub, request);
    return;
  }
  yield* each(sub.set.names, (name) => {
    if (!before.set.names.has(name)) addFresh(sub, name, 'new');
  });
  if (sub.fresh.size > 0) sub.answer = true;
  yield* dropUnsubscribed(sub);
}

/**
 * A SotW request with the names that the subscription has already. As an ACK or NACK it asks for nothing.
 * Else it is an explicit re-subscription, such as for a cluster that warms again, and is answered, unless an
 * answer is due anyway, or the client has just refused what it would get.
 */
export function repeatSotw(sub: Subscription, request: Omit<SotwContext, 'first'>): void {
  if (request.verdict === 'ack' || request.verdict === 'nack' || request.error) return;
  if (sub.all || sub.answer || sub.fresh.size > 0 || sub.nacked !== undefined) return;
  sub.all = true;
  sub.answer = true;
}

/** Takes the names of a Delta request. `first` means the first of the type on this stream. */
export function* subscribeDelta(
  sub: Subscription,
  request: {
    readonly first: boolean;
    readonly subscribe: ReadNames;
    readonly unsubscribe: readonly string[];
  },
  sets: NameSets,
): Slices {
  const { star, set: add } = request.subscribe;
  const remove = request.unsubscribe.filter((name) => name !== '*');
  const { unsubscribe } = request;
  const legacy = meansWildcard(sub, { names: request.subscribe.raw, unsubscribe });
  const before = sub.set.names;
  sub.set = yield* sets.change(sub.set, add, remove);
  if (request.subscribe.raw.length > 0) sub.explicit = true;
  if (request.unsubscribe.includes('*')) {
    sub.wildcard = false;
    sub.legacy = false;
    sub.explicit = true;
  }
  if (star || legacy) {
    sub.wildcard = true;
    sub.legacy = legacy;
    sub.all = true;
    sub.answer = true;
  }
  if (request.first) sub.all = true;
  // "even if the client already has it": every name in a subscribe is answered. `all` names them already,
  // unless it means those of the wildcard.
  if (!request.first || sub.wildcard) yield* each(add.names, (name) => addFresh(sub, name, 'new'));
  // A name that the wildcard still covers is told again, so that the client need not guess; one that it had
  // not subscribed to is nothing to it.
  if (sub.wildcard)
    yield* each(remove, (name) => {
      if (before.has(name)) leaveName(sub, name);
    });
  // Looking through all that is due would make a name more cost what all of them do.
  else if (!request.unsubscribe.includes('*')) yield* dropNames(sub, remove);
  else yield* dropUnsubscribed(sub);
}

/**
 * Whether a Delta request means all resources though it names none: "the request must have no resources in
 * both resource_names_subscribe and resource_names_unsubscribe", and the client "has never explicitly
 * subscribed to any".
 */
export function meansWildcard(
  sub: Subscription,
  request: { readonly names: Buffer; readonly unsubscribe: readonly string[] },
): boolean {
  const empty = request.names.length === 0 && request.unsubscribe.length === 0;
  return empty && sub.rule.wildcard && !sub.wildcard && !sub.explicit;
}

/** Forgets refusals of what is no more, and of removals of what is there again; `exists` tells. */
export function forgetRejected(sub: Subscription, exists: (name: string) => boolean): void {
  if (sub.rejected.size > 0)
    keepRejected(sub, (name, { version }) => exists(name) === (version !== undefined));
}

/** Notes a name to be sent whether it changed or not. */
export function addFresh(sub: Subscription, name: string, why: 'new' | 'again'): void {
  if (sub.fresh.size === 0) sub.fresh = new Map();
  (sub.fresh as Map<string, 'new' | 'again'>).set(name, why);
}

/** Notes a name left beside a wildcard: nothing but this counts it until it was told. */
function leaveName(sub: Subscription, name: string): void {
  addFresh(sub, name, 'again');
  sub.leftNames += 1;
  sub.leftLength += name.length;
}

/** Notes that all that was due is said, but for what is `held`. */
export function noteSaid(sub: Subscription, held: Subscription['held']): void {
  sub.held = held.size === 0 ? noneHeld : held;
  sub.all = false;
  sub.answer = false;
  sub.fresh = noFresh;
  sub.leftNames = 0;
  sub.leftLength = 0;
  sub.gone = noNames;
}

function only(names: ReadonlySet<string>, keep: (name: string) => boolean): ReadonlySet<string> {
  const kept = [...names].filter(keep);
  return kept.length === 0 ? noNames : new Set(kept);
}

/** As `dropUnsubscribed`, where only these names may have gone. */
function* dropNames(sub: Subscription, names: readonly string[]): Slices {
  const gone: string[] = [];
  yield* each(names, (name) => {
    if (sub.set.names.has(name)) return;
    gone.push(name);
    if (sub.fresh.size > 0) (sub.fresh as Map<string, unknown>).delete(name);
  });
  if (sub.held.size > 0 && gone.some((name) => sub.held.has(name)))
    sub.held = new Map([...sub.held].filter(([name]) => sub.set.names.has(name)));
  if (gone.some((name) => sub.gone.has(name))) sub.gone = only(sub.gone, (name) => sub.set.names.has(name));
  if (sub.nacked === undefined) return;
  acceptRejected(sub, gone);
  endNack(sub);
}

/** Forgets what is due for names that are not subscribed any more. */
function* dropUnsubscribed(sub: Subscription): Slices {
  if (sub.wildcard) return;
  const { names } = sub.set;
  // Own, where there is any.
  const fresh = sub.fresh as Map<string, unknown>;
  if (fresh.size > 0)
    yield* each(fresh.keys(), (name) => {
      if (!names.has(name)) fresh.delete(name);
    });
  if (sub.held.size > 0) sub.held = new Map([...sub.held].filter(([name]) => names.has(name)));
  sub.gone = only(sub.gone, (name) => names.has(name));
  if (sub.nacked !== undefined) keepRejected(sub, (name) => names.has(name));
}

/**
 * What a reconnecting Delta client says it has, against what there is: only the difference is due. `current`
 * gives the version of a name, or undefined; `visible` are the names that the client would be sent.
 */
export function* resumeDelta(
  sub: Subscription,
  initialVersions: ReadonlyMap<string, string>,
  visible: Iterable<string>,
  current: (name: string) => string | undefined,
): Slices {
  if (initialVersions.size === 0) return;
  sub.all = false;
  sub.answer = false;
  sub.fresh = noFresh;
  yield* each(visible, (name) => {
    const version = current(name);
    if (version !== undefined && version !== initialVersions.get(name)) addFresh(sub, name, 'new');
  });
  const gone = new Set(sub.gone);
  yield* each(initialVersions.keys(), (name) => {
    if (current(name) === undefined) gone.add(name);
  });
  if (gone.size > 0) sub.gone = gone;
  // Named, but neither here nor there: the client is told that it does not exist.
  yield* each(sub.set.names, (name) => {
    if (current(name) === undefined) addFresh(sub, name, 'new');
  });
}

/** Whether there is, or may be, something to send. */
export function isPending(sub: Subscription, group: Pick<Group<unknown>, 'changedAt'>): boolean {
  return sub.all || sub.answer || sub.fresh.size > 0 || sub.gone.size > 0 || group.changedAt > sub.revision;
}
