import type { Cause } from '../cause.ts';
import type { ClassDifference, HeldRemoval } from '../move/difference.ts';
import type { TypeRule } from '../resource-types.ts';
import { each, type Slices } from '../slices.ts';
import type { NameSet, NameSets, ReadNames } from '../state/name-sets.ts';
import type { Group } from '../state/snapshot.ts';

/** A response as sent, shared by all streams in the same state. */
interface ResponseContent {
  readonly nonce: string;
  readonly version: string;
  /** Names of its resources, and of those that it reports as removed (Delta). */
  readonly names: readonly string[];
  readonly removed: readonly string[];
  readonly causes: readonly Cause[];
  readonly superseded: readonly Cause[];
  readonly bytes: Uint8Array;
}

/** A response as sent on one stream. */
export interface Sent {
  readonly response: ResponseContent;
  /** The revision that its ACK confirms. */
  readonly revision: number;
  readonly sentAt: number;
  /** Held removals that it carries out. */
  readonly released: ReadonlySet<string>;
  /** Its bytes if no other stream was sent the same, else 0. */
  readonly unsharedBytes: number;
  /** The stream was moved to another class since, which has resources that differ from what was sent. */
  readonly isBeforeMove?: true;
}

/** Why a client refused a resource, and when it is offered again. Shared by resources refused alike. */
export interface ResourceRefusal {
  /** The revision that the client had confirmed before the first refusal. */
  readonly confirmed: number;
  /** True if this resource is known to be the refused one, not only part of the response. */
  readonly isCertain: boolean;
  /** The refused version; undefined for a removal. */
  readonly version: string | undefined;
  /** The client's message, and when it came, in the server's clock. */
  readonly message: string;
  readonly refusedAt: number;
  /** Whether the client has an older version, if its stream was moved since that was accepted. */
  readonly hadOlder?: boolean;
  /** When it is offered again, in the server's clock (ms), and the pause before that, without jitter. */
  readonly at: number;
  readonly pauseMs: number;
}

/**
 * The protocol state of one type on one stream: subscription, what was sent, what was answered. The functions
 * below are the protocol's rules; they neither send nor read the clock. Quotes are from Envoy's "xDS REST and
 * gRPC protocol".
 */
export interface Subscription {
  readonly rule: TypeRule;
  wildcard: boolean;
  /** The wildcard came from an empty first request, and ends when names are given (State of the World). */
  implicitWildcard: boolean;
  /**
   * It has subscribed to a name, or left the wildcard: an empty request no longer means the wildcard (Delta).
   */
  explicit: boolean;
  set: NameSet;
  /** The raw names of the last request, to recognise an ACK that repeats them. */
  lastNames: Buffer;
  /** Changes up to this revision have been sent, or are in what is due. */
  revision: number;
  /** Changes up to this revision are ACKed, or needed no response; but for held and rejected ones. */
  confirmed: number;
  /** All subscribed resources must be sent. */
  all: boolean;
  /** A request needs a response, even an empty one. */
  answer: boolean;
  /** Names to send even if unchanged: 'new' to the stream, or needed 'again'. See `addToSend`. */
  toSend: ReadonlyMap<string, 'new' | 'again'>;
  /** How many of these were unsubscribed beside a wildcard, and their total length. */
  leftNames: number;
  leftLength: number;
  /** Removed resources that the client reported to have when it connected (Delta). */
  gone: ReadonlySet<string>;
  /** The stream was moved to another class, and this has not been sent. */
  moved: ClassDifference | undefined;
  /** The same until it is ACKed: what the client accepted before is told by it. */
  movedFrom: ClassDifference | undefined;
  /** Removed resources that the client keeps until no other resource names them. */
  held: ReadonlyMap<string, HeldRemoval>;
  /** Resources that were refused, or sent with a refused one, and not ACKed since. */
  rejected: ReadonlyMap<string, ResourceRefusal>;
  /** The earliest time of the next offer of any of them, in the server's clock. */
  offerAt: number;
  /** Of these, the sets that are offered separately to find the refused ones. */
  suspects: readonly (readonly string[])[];
  /** The client had no resources of this type when the stream began. */
  startedEmpty: boolean;
  /**
   * Resources that exist, and that a reconnecting client did not report to have (Delta), until it confirms
   * anything; none if there are very many.
   */
  lacked: ReadonlySet<string>;
  inFlight: Sent | undefined;
  nonce: string;
  /** The number that the nonce is the text of; 0 before the first response. */
  sequence: number;
  acked: { readonly version: string; readonly at: number } | undefined;
  /** The last NACK, while anything is rejected. */
  nacked: { readonly version: string; readonly at: number; readonly message: string } | undefined;
}

// Shared empty collections: nearly every subscription has nearly all of these empty, and each push reads
// them.
export const noneToSend: Subscription['toSend'] = new Map();
const noNames: ReadonlySet<string> = new Set();
const noHeldRemovals: Subscription['held'] = new Map();
const noneRejected: Subscription['rejected'] = new Map();
const noSuspects: Subscription['suspects'] = [];

/** A subscription before its first request. */
export function newSubscription(rule: TypeRule, empty: NameSet, blank: boolean): Subscription {
  return {
    rule,
    wildcard: false,
    implicitWildcard: false,
    explicit: false,
    set: empty,
    lastNames: Buffer.alloc(0),
    revision: 0,
    confirmed: 0,
    all: false,
    answer: false,
    toSend: noneToSend,
    leftNames: 0,
    leftLength: 0,
    gone: noNames,
    moved: undefined,
    movedFrom: undefined,
    held: noHeldRemovals,
    rejected: noneRejected,
    offerAt: Number.POSITIVE_INFINITY,
    suspects: noSuspects,
    startedEmpty: blank,
    lacked: noNames,
    inFlight: undefined,
    nonce: '',
    sequence: 0,
    acked: undefined,
    nacked: undefined,
  };
}

/** What a request's nonce says about the last response. */
type RequestVerdict = 'none' | 'stale' | 'repeat' | 'ack' | 'nack';

/**
 * Checks the nonce of a request and records an ACK; `refuse` records a NACK. 'stale' answers an older
 * response, 'repeat' an answered one, 'none' no response: a first request, or a nonce of an earlier stream.
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
  confirm(sub, sent);
  if (sub.nacked === undefined) return 'ack';
  // A rejected resource that was not sent since is still not accepted.
  acceptRejected(sub, sent.response.names);
  acceptRejected(sub, sent.response.removed);
  endNack(sub);
  return 'ack';
}

/** The client has accepted what was sent, except for what is refused. */
export function confirm(sub: Subscription, sent: Sent): void {
  sub.confirmed = sent.revision;
  sub.lacked = noNames;
  if (sub.movedFrom !== undefined && !sent.isBeforeMove) sub.movedFrom = undefined;
}

/** Refusals as a mutable map of this subscription. */
export function mutableRejected(sub: Subscription): Map<string, ResourceRefusal> {
  if (sub.rejected === noneRejected) sub.rejected = new Map();
  return sub.rejected as Map<string, ResourceRefusal>;
}

function acceptRejected(sub: Subscription, names: Iterable<string>): void {
  if (sub.rejected.size === 0) return;
  const own = mutableRejected(sub);
  for (const name of names) own.delete(name);
}

/** Clears the NACK once nothing is rejected. */
function endNack(sub: Subscription): void {
  if (sub.rejected.size > 0) return;
  sub.rejected = noneRejected;
  sub.offerAt = Number.POSITIVE_INFINITY;
  sub.nacked = undefined;
  sub.suspects = noSuspects;
}

/** Removes refusals except those to keep. */
function keepRejected(sub: Subscription, keep: (name: string, refusal: ResourceRefusal) => boolean): void {
  for (const [name, refusal] of sub.rejected) if (!keep(name, refusal)) mutableRejected(sub).delete(name);
  endNack(sub);
}

/** Facts about a SotW request besides its names: first of its type, answer, error. */
export interface SotwContext {
  readonly first: boolean;
  readonly verdict: RequestVerdict;
  readonly error: boolean;
}

/** Applies the names of a SotW request whose verdict is not 'stale'. */
export function* subscribeSotw(sub: Subscription, names: ReadNames, request: SotwContext): Slices {
  const none = names.raw.length === 0;
  const before = { wildcard: sub.wildcard, set: sub.set };
  // "the first request ... with an empty resource_names field": all, for types with a wildcard.
  if (request.first) sub.implicitWildcard = none && sub.rule.wildcard;
  else if (!none) sub.implicitWildcard = false;
  sub.wildcard = names.star || sub.implicitWildcard;
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
    if (!before.set.names.has(name)) addToSend(sub, name, 'new');
  });
  if (sub.toSend.size > 0) sub.answer = true;
  yield* dropUnsubscribed(sub);
}

/**
 * A SotW request with unchanged names. An ACK or NACK asks for nothing. Any other is an explicit
 * re-subscription, as for a cluster that warms again, and needs a response, unless one is due anyway, or the
 * client has just refused what it would contain.
 */
export function repeatSotw(sub: Subscription, request: Omit<SotwContext, 'first'>): void {
  if (request.verdict === 'ack' || request.verdict === 'nack' || request.error) return;
  if (sub.all || sub.answer || sub.toSend.size > 0 || sub.nacked !== undefined) return;
  sub.all = true;
  sub.answer = true;
}

/** Applies the names of a Delta request. `first`: the first of its type on this stream. */
export function* subscribeDelta(
  sub: Subscription,
  request: {
    readonly first: boolean;
    readonly subscribe: ReadNames;
    readonly unsubscribe: readonly string[];
    /** Names that are on their way already. */
    readonly foreseen?: ReadonlySet<string>;
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
    sub.implicitWildcard = false;
    sub.explicit = true;
  }
  if (star || legacy) {
    sub.wildcard = true;
    sub.implicitWildcard = legacy;
    sub.all = true;
    sub.answer = true;
  }
  if (request.first) sub.all = true;
  // "even if the client already has it": every subscribed name needs a response. `all` covers them, unless
  // it stands for a wildcard.
  if (!request.first || sub.wildcard)
    yield* each(add.names, (name) => {
      if (request.foreseen?.has(name) !== true) addToSend(sub, name, 'new');
    });
  // A name that the wildcard still covers is sent again, so that the client knows its state. A name that it
  // had not subscribed to needs nothing.
  if (sub.wildcard)
    yield* each(remove, (name) => {
      if (before.has(name)) leaveName(sub, name);
    });
  // Scanning all that is due would make the cost of one name that of all.
  else if (!request.unsubscribe.includes('*')) yield* dropNames(sub, remove);
  else yield* dropUnsubscribed(sub);
}

/**
 * Whether a Delta request without names means all resources: "the request must have no resources in both
 * resource_names_subscribe and resource_names_unsubscribe", and the client "has never explicitly subscribed
 * to any".
 */
export function meansWildcard(
  sub: Subscription,
  request: { readonly names: Buffer; readonly unsubscribe: readonly string[] },
): boolean {
  const empty = request.names.length === 0 && request.unsubscribe.length === 0;
  return empty && sub.rule.wildcard && !sub.wildcard && !sub.explicit;
}

/** Forgets refusals, except of what exists and was refused, or is gone and whose removal was refused. */
export function forgetRejected(sub: Subscription, exists: (name: string) => boolean): void {
  if (sub.rejected.size > 0)
    keepRejected(sub, (name, { version }) => exists(name) === (version !== undefined));
}

/** Marks a name to be sent even if unchanged. */
export function addToSend(sub: Subscription, name: string, why: 'new' | 'again'): void {
  if (sub.toSend.size === 0) sub.toSend = new Map();
  (sub.toSend as Map<string, 'new' | 'again'>).set(name, why);
}

/** Marks a name unsubscribed beside a wildcard, and counts its memory until it is sent. */
function leaveName(sub: Subscription, name: string): void {
  addToSend(sub, name, 'again');
  sub.leftNames += 1;
  sub.leftLength += name.length;
}

/** Forgets held removals: a difference between classes has them. */
export function withoutHeld(sub: Subscription): void {
  sub.held = noHeldRemovals;
}

/** Records that everything due was sent, except what is `held`. */
export function noteSent(sub: Subscription, held: Subscription['held']): void {
  sub.held = held.size === 0 ? noHeldRemovals : held;
  sub.all = false;
  sub.answer = false;
  sub.toSend = noneToSend;
  sub.leftNames = 0;
  sub.leftLength = 0;
  sub.gone = noNames;
  sub.moved = undefined;
}

function only(names: ReadonlySet<string>, keep: (name: string) => boolean): ReadonlySet<string> {
  const kept = [...names].filter(keep);
  return kept.length === 0 ? noNames : new Set(kept);
}

/** As `dropUnsubscribed`, if only these names may have been unsubscribed. */
function* dropNames(sub: Subscription, names: readonly string[]): Slices {
  const gone: string[] = [];
  yield* each(names, (name) => {
    if (sub.set.names.has(name)) return;
    gone.push(name);
    if (sub.toSend.size > 0) (sub.toSend as Map<string, unknown>).delete(name);
  });
  if (sub.held.size > 0 && gone.some((name) => sub.held.has(name)))
    sub.held = new Map([...sub.held].filter(([name]) => sub.set.names.has(name)));
  if (gone.some((name) => sub.gone.has(name))) sub.gone = only(sub.gone, (name) => sub.set.names.has(name));
  if (sub.nacked === undefined) return;
  acceptRejected(sub, gone);
  endNack(sub);
}

/** Forgets what is due for names that are no longer subscribed. */
export function* dropUnsubscribed(sub: Subscription): Slices {
  if (sub.wildcard) return;
  const { names } = sub.set;
  // A non-empty map belongs to this subscription alone.
  const toSend = sub.toSend as Map<string, unknown>;
  if (toSend.size > 0)
    yield* each(toSend.keys(), (name) => {
      if (!names.has(name)) toSend.delete(name);
    });
  if (sub.held.size > 0) sub.held = new Map([...sub.held].filter(([name]) => names.has(name)));
  sub.gone = only(sub.gone, (name) => names.has(name));
  if (sub.nacked !== undefined) keepRejected(sub, (name) => names.has(name));
}

/** Whether there is, or may be, something to send. */
export function isPending(sub: Subscription, group: Pick<Group<unknown>, 'changedAt'>): boolean {
  if (group.changedAt > sub.revision || sub.toSend.size > 0 || sub.moved !== undefined) return true;
  return sub.all || sub.answer || sub.gone.size > 0;
}
