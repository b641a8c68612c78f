import { idcNamePattern } from './idc.ts';

/** Request header: the IDCs that a request has crossed, oldest first, joined by `,` without blanks. */
export const trailHeader = 'x-isthmus-trail';
/** Request header, set by the filter for the routes: the IDCs of the trail, sorted, joined by `,`. */
export const visitedHeader = 'x-isthmus-visited';
/** Response header with the reason of a refusal. */
export const outcomeHeader = 'x-isthmus-outcome';
/** Outcome of a proxy's own 503: no permitted IDC is left, or none has a healthy instance. */
export const noIdcOutcome = 'no-idc';
/**
 * Outcome of a proxy's own answer after a try that broke once sent: it may have been executed, and was not
 * retried.
 */
export const interruptedOutcome = 'interrupted';
/**
 * Outcome of a proxy's own 503 when a try had failed and the body outgrew the retry buffer before the next.
 * The failed try reached no instance, or the method may be repeated.
 */
export const bodyTooLargeOutcome = 'body-too-large';
/** Outcome of a proxy's own 503 when its memory is nearly full: the request was not processed. */
export const overloadedOutcome = 'overloaded';
/**
 * Outcome of a peer listener's own 503 at its limit of requests from other IDCs: the request was not
 * processed.
 */
export const spillLimitOutcome = 'spill-limit';
/** Outcome of the own 404 of a sidecar or an edge: the host belongs to no Group that it calls or has. */
export const unknownHostOutcome = 'unknown-host';
/** Outcome of a sidecar's own 403: the resolved address of a host named by a request is refused. */
export const refusedAddressOutcome = 'refused-address';
/** Outcome of a sidecar's own 503: DNS has no address for a host named by a request, or did not answer. */
export const noAddressOutcome = 'no-address';
/**
 * On an answer between proxies: no instance has executed the request, and why. Each egress that asked all
 * permitted IDCs prefixes the last one's value with `egress-`. On a request: an earlier try got this answer,
 * and this one must not cross again.
 */
export const nobodyHeader = 'x-isthmus-nobody';
/** This IDC has no healthy instance of the Group. */
export const nobodyThere = 'true';
/** This IDC has no capacity for requests from others. */
export const nobodyFree = 'full';
/** This IDC may have instances, but reached none, does not know the Group yet, or has no memory left. */
export const nobodyReached = 'unreached';
/** This egress reached no other IDC. */
export const noWayOut = 'no-way';
/** The prefix that a proxy puts, with a `-`, before an egress's value. */
export const egressPrefix = 'egress';
/**
 * `true` on a proxy's own answer if the request never reached an instance: with any method it may be retried
 * elsewhere. Workloads never see it, so none can copy it into an answer.
 */
export const unsentHeader = 'x-isthmus-unsent';
/** Isthmus's headers, for lists of names. */
export const ownHeaders: readonly string[] = [
  trailHeader,
  visitedHeader,
  outcomeHeader,
  nobodyHeader,
  unsentHeader,
];
/** Represents IDCs that the policy does not name, in `visitedHeader` and in metrics. Not a valid IDC name. */
export const unknownIdc = '_unknown';
/** A longer trail is refused unread: the work for a request is bounded. */
export const trailBytesMax = 512;
/** The largest hop limit of a mesh, in crossings. */
export const hopLimitMax = 4;
/** IDCs that a filter can distinguish: it keeps sets in 64 bits. */
export const idcsMax = 64;
/** gRPC status of a refusal when the request is gRPC: UNAVAILABLE (grpc.io status codes). */
export const refusalGrpcStatus = 14;

/** The guarded listeners, in the order in which a failing request meets them. */
export const guardedListeners = ['ingress-edge', 'ingress-peer', 'egress-sidecar', 'egress-ingress'] as const;
export type GuardedListener = (typeof guardedListeners)[number];

/** Whether requests at a listener carry a trail; at the others one begins. */
export function readsTrail(listener: GuardedListener): boolean {
  return listener === 'ingress-peer' || listener === 'egress-ingress';
}

/** Whether loops are prevented. 'off' is for drills alone, to show the effect. */
const loopPreventions = ['on', 'off'] as const;
export type LoopPrevention = (typeof loopPreventions)[number];

/** The input of a filter, compiled in. */
export interface TrailPolicy {
  /** The listener's IDC. */
  readonly idc: string;
  /** The other IDCs of the mesh. */
  readonly peers: readonly string[];
  /** Most crossings of a request, 0 to `hopLimitMax`; a DR group may allow less, in its routes. */
  readonly hopLimit: number;
  readonly listener: GuardedListener;
  /**
   * False only as the negative control of drills: the filter refuses nothing, and still writes what routes
   * and logs read. The two listeners that begin trails never refuse, and do not depend on it.
   */
  readonly enforce: boolean;
}

/** Why the filter refused a request. */
export type TrailOutcome = 'loop' | 'hop-limit' | 'malformed';

/** The filter's decision. `counter`: the metric (a name of `trailCounters`) to increment, if any. */
type TrailVerdict =
  | {
      readonly action: 'pass';
      readonly trail: string;
      readonly visited: string;
      readonly counter: string | undefined;
    }
  | { readonly action: 'refuse'; readonly outcome: TrailOutcome; readonly counter: string };

/**
 * The names in a trail, oldest first; undefined if malformed: empty, over `trailBytesMax`, or with an invalid
 * name.
 */
export function parseTrail(value: string): readonly string[] | undefined {
  if (value.length > trailBytesMax) return undefined;
  const names = value.split(',');
  return names.every((name) => idcNamePattern.test(name)) ? names : undefined;
}

/** All IDCs of a policy, sorted: the order of `visitedHeader` and of the metrics. */
export function policyIdcs(policy: TrailPolicy): readonly string[] {
  return [policy.idc, ...policy.peers].sort();
}

/** The value of `visitedHeader` for these IDCs; `unknownIdc` if one of them is not the policy's. */
export function visitedSet(policy: TrailPolicy, names: readonly string[]): string {
  const known = policyIdcs(policy);
  if (names.some((name) => !known.includes(name))) return unknownIdc;
  return joinVisited(known.filter((name) => names.includes(name)));
}

/** A set of IDCs in the form of `visitedHeader`: sorted, joined by `,`. */
export function joinVisited(names: readonly string[]): string {
  return [...names].sort().join(',');
}

/**
 * The rules of docs/trail.md. `lines`: values of the request's trail header lines, one character a byte
 * (latin1), in order; empty without the header. Several lines are one list (RFC 9110, 5.3).
 */
export function decideTrail(policy: TrailPolicy, lines: readonly string[]): TrailVerdict {
  switch (policy.listener) {
    case 'ingress-edge':
    case 'egress-sidecar':
      return {
        action: 'pass',
        trail: policy.idc,
        visited: visitedSet(policy, [policy.idc]),
        counter: lines.length > 0 ? trailCounter(policy, 'trail_spoofed') : undefined,
      };
    case 'ingress-peer':
      return policy.enforce
        ? enter(policy, parseTrail(lines.join(',')))
        : follow(policy, parseTrail(lines.join(',')));
    case 'egress-ingress':
      return policy.enforce
        ? decideAtEgress(policy, parseTrail(lines.join(',')))
        : keep(policy, parseTrail(lines.join(',')));
  }
}

/**
 * From another IDC. The number of `names` is that of crossings: each IDC appends its name when the request
 * leaves it.
 */
function enter(policy: TrailPolicy, names: readonly string[] | undefined): TrailVerdict {
  const sender = names?.at(-1);
  if (names === undefined || sender === undefined) return refuse(policy, 'malformed');
  if (names.includes(policy.idc)) return refuse(policy, 'loop', sender);
  if (names.length > policy.hopLimit) return refuse(policy, 'hop-limit', sender);
  const after = [...names, policy.idc];
  return {
    action: 'pass',
    trail: after.join(','),
    visited: visitedSet(policy, after),
    counter: trailCounter(policy, 'hops', sender),
  };
}

/**
 * From the local ingress gateway: it must have appended the local name last, and would not have admitted it
 * twice.
 */
function decideAtEgress(policy: TrailPolicy, names: readonly string[] | undefined): TrailVerdict {
  if (names === undefined) return refuse(policy, 'malformed');
  if (names.indexOf(policy.idc) !== names.length - 1) return refuse(policy, 'loop');
  if (names.length > policy.hopLimit) return refuse(policy, 'hop-limit');
  return {
    action: 'pass',
    trail: names.join(','),
    visited: visitedSet(policy, names),
    counter: undefined,
  };
}

/**
 * From another IDC, without enforcement: counted and appended to in any case. A trail without room stays as
 * it is, so that a looping request does not grow; an unreadable one is replaced.
 */
function follow(policy: TrailPolicy, names: readonly string[] | undefined): TrailVerdict {
  const after = [...(names ?? []), policy.idc];
  const kept = names !== undefined && after.join(',').length > trailBytesMax ? names : after;
  return {
    action: 'pass',
    trail: kept.join(','),
    visited: visitedSet(policy, [...kept, policy.idc]),
    counter: trailCounter(policy, 'hops', names?.at(-1) ?? unknownIdc),
  };
}

/** From the local ingress gateway, without enforcement: unchanged, or replaced if unreadable. */
function keep(policy: TrailPolicy, names: readonly string[] | undefined): TrailVerdict {
  const kept = names ?? [policy.idc];
  return {
    action: 'pass',
    trail: kept.join(','),
    visited: visitedSet(policy, [...kept, policy.idc]),
    counter: undefined,
  };
}

function refuse(policy: TrailPolicy, outcome: TrailOutcome, sender?: string): TrailVerdict {
  return { action: 'refuse', outcome, counter: trailCounter(policy, counterOf[outcome], sender) };
}

/**
 * HTTP status of a refusal. 508 Loop Detected is RFC 5842; a fault on leaving the IDC is ours, so never 400.
 */
export function refusalStatus(listener: GuardedListener, outcome: TrailOutcome): number {
  return listener === 'egress-ingress' || outcome === 'loop' ? 508 : 400;
}

/** Body of a refusal, and message of its gRPC status. Quotes nothing of the request. */
export function refusalText(policy: TrailPolicy, outcome: TrailOutcome): string {
  return `isthmus: ${outcome} at ${policy.listener} of ${policy.idc}`;
}

type CounterName = 'hops' | 'loop_rejected' | 'hop_limit_rejected' | 'malformed_rejected' | 'trail_spoofed';

const counterOf: Readonly<Record<TrailOutcome, CounterName>> = {
  loop: 'loop_rejected',
  'hop-limit': 'hop_limit_rejected',
  malformed: 'malformed_rejected',
};

/** The peer listener's counters by calling IDC. */
const counterNamesByPeer: readonly CounterName[] = ['hops', 'loop_rejected', 'hop_limit_rejected'];

/** The name of a metric, as the filter defines it; Envoy adds the prefix `wasmcustom.`. */
function trailCounter(policy: TrailPolicy, name: CounterName, sender?: string): string {
  const prefix = `isthmus_trail.${policy.listener}`;
  if (sender === undefined) return `${prefix}.${name}`;
  const peer = policyIdcs(policy).includes(sender) ? sender : unknownIdc;
  return `${prefix}.peer.${peer}.${name}`;
}

/**
 * The metrics of a policy's filter: for the peer listener first those by IDC, `policyIdcs` then `unknownIdc`.
 */
export function trailCounters(policy: TrailPolicy): readonly string[] {
  switch (policy.listener) {
    case 'ingress-edge':
    case 'egress-sidecar':
      return [trailCounter(policy, 'trail_spoofed')];
    case 'ingress-peer':
      return [...policyIdcs(policy), unknownIdc]
        .flatMap((idc) => counterNamesByPeer.map((name) => trailCounter(policy, name, idc)))
        .concat(trailCounter(policy, 'malformed_rejected'));
    case 'egress-ingress':
      return [
        trailCounter(policy, 'loop_rejected'),
        trailCounter(policy, 'hop_limit_rejected'),
        trailCounter(policy, 'malformed_rejected'),
      ];
  }
}
