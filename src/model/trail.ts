import { idcNamePattern } from './idc.ts';

/** Request header: the IDCs that a request has crossed, oldest first, joined by `,`, no blanks. */
export const trailHeader = 'x-isthmus-trail';
/**
 * Request header, written by the filter for the routes behind it: the set of IDCs in the trail, sorted,
 * joined by `,`.
 */
export const visitedHeader = 'x-isthmus-visited';
/** Response header of a refused request: why. */
export const outcomeHeader = 'x-isthmus-outcome';
/** The outcome of a proxy's own 503: nobody that may serve the request is left, or none is healthy. */
export const noIdcOutcome = 'no-idc';
/**
 * The outcome of a proxy's own answer when a try broke after it was sent: it may have been executed, and was
 * not sent again.
 */
export const interruptedOutcome = 'interrupted';
/**
 * The outcome of a proxy's own 503 when a try had failed and the body outgrew what is kept before the next
 * one began. What failed had reached nobody, or the method may be sent twice.
 */
export const bodyTooLargeOutcome = 'body-too-large';
/** The outcome of a proxy's own 503 when its memory is nearly full: it took nothing of the request on. */
export const overloadedOutcome = 'overloaded';
/**
 * The outcome of a peer listener's own 503 when its IDC has as many requests of others in work as it takes:
 * it took nothing of this one on.
 */
export const spillLimitOutcome = 'spill-limit';
/** The outcome of a sidecar's own 404: no Group that it calls has the host. */
export const unknownHostOutcome = 'unknown-host';
/**
 * The outcome of a sidecar's own 403: nothing is passed on to the address of a host that a request alone
 * names.
 */
export const refusedAddressOutcome = 'refused-address';
/**
 * The outcome of a sidecar's own 503: DNS has no address for a host that a request alone names, or did not
 * answer.
 */
export const noAddressOutcome = 'no-address';
/**
 * Of an answer between proxies: why it is none of an instance. Nobody has executed the request. Before the
 * word of an IDC stands
 * `egress-` for each egress that asked all IDCs it may, and passed the last one's word on. Of a request: an
 * earlier try of it was told so, and this one must not cross again.
 */
export const nobodyHeader = 'x-isthmus-nobody';
/** This IDC has no healthy instance of the Group. */
export const nobodyThere = 'true';
/** This IDC has no room for requests of others. */
export const nobodyFree = 'full';
/**
 * This IDC may have somebody, but could not reach them, does not know the Group yet, or has no memory left.
 */
export const nobodyReached = 'unreached';
/** This egress could reach no other IDC. */
export const noWayOut = 'no-way';
/** What the proxy before puts, and a `-`, before the word of an egress. */
export const egress = 'egress';
/**
 * Set to `true` on a proxy's own answer where the request never reached an instance: whatever its method, it
 * may be tried elsewhere. No workload sees it, so that none can copy it into an answer of its own.
 */
export const unsentHeader = 'x-isthmus-unsent';
/** All headers of Isthmus's own, for where they are named one by one. */
export const ownHeaders: readonly string[] = [
  trailHeader,
  visitedHeader,
  outcomeHeader,
  nobodyHeader,
  unsentHeader,
];
/**
 * Stands for IDCs that the policy does not name, in `visitedHeader` and in metrics. Not a possible IDC name.
 */
export const unknownIdc = '_unknown';
/**
 * A trail longer than this many bytes is refused unread: the work for a request is bounded, whatever it
 * carries.
 */
export const trailBytesMax = 512;
/** The largest hop limit of a mesh, in crossings. */
export const hopLimitMax = 4;
/** IDCs that a filter can tell apart: it keeps a set of them in 64 bits. */
export const idcsMax = 64;
/** gRPC status of a refusal when the request is gRPC: UNAVAILABLE (grpc.io status codes). */
export const refusalGrpcStatus = 14;

/** The listeners that a filter guards, in the order in which a failing request meets them. */
export const guardedListeners = ['ingress-edge', 'ingress-peer', 'egress-sidecar', 'egress-ingress'] as const;
export type GuardedListener = (typeof guardedListeners)[number];

/**
 * Whether what comes to a listener has a trail that counts; the others begin one, whoever their peers are.
 */
export function readsTrail(listener: GuardedListener): boolean {
  return listener === 'ingress-peer' || listener === 'egress-ingress';
}

/** Whether requests in circles are stopped. 'off' is for drills alone: it shows what they would do. */
const loopPreventions = ['on', 'off'] as const;
export type LoopPrevention = (typeof loopPreventions)[number];

/** What one filter knows: all of it is compiled in. */
export interface TrailPolicy {
  /** The IDC that the listener stands in. */
  readonly idc: string;
  /** The other IDCs of the mesh. */
  readonly peers: readonly string[];
  /**
   * Most crossings that any request may make, 0 to `hopLimitMax`; a DR group may allow less, in its routes.
   */
  readonly hopLimit: number;
  readonly listener: GuardedListener;
  /**
   * False only as the negative control of drills: the filter then refuses nothing, and still writes what
   * routes and logs read. The two listeners that begin trails refuse nothing anyway, and are the same either
   * way.
   */
  readonly enforce: boolean;
}

/** Why a request was refused by the filter. */
export type TrailOutcome = 'loop' | 'hop-limit' | 'malformed';

/**
 * What happens to a request. `counter`: the metric (a name of `trailCounters`) that goes up by one, if any.
 */
type TrailVerdict =
  | {
      readonly action: 'pass';
      readonly trail: string;
      readonly visited: string;
      readonly counter: string | undefined;
    }
  | { readonly action: 'refuse'; readonly outcome: TrailOutcome; readonly counter: string };

/**
 * The names in a trail, oldest first; undefined when it is no trail: empty, over `trailBytesMax`, or a name
 * that is none.
 */
export function parseTrail(value: string): readonly string[] | undefined {
  if (value.length > trailBytesMax) return undefined;
  const names = value.split(',');
  return names.every((name) => idcNamePattern.test(name)) ? names : undefined;
}

/** All IDCs that a policy names, sorted: the order of `visitedHeader` and of the metrics. */
export function policyIdcs(policy: TrailPolicy): readonly string[] {
  return [policy.idc, ...policy.peers].sort();
}

/** The value of `visitedHeader` for these IDCs; `unknownIdc` as soon as one of them is not the policy's. */
export function visitedSet(policy: TrailPolicy, names: readonly string[]): string {
  const known = policyIdcs(policy);
  if (names.some((name) => !known.includes(name))) return unknownIdc;
  return joinVisited(known.filter((name) => names.includes(name)));
}

/** A set of IDCs as `visitedHeader` carries it: sorted, joined by `,`. */
export function joinVisited(names: readonly string[]): string {
  return [...names].sort().join(',');
}

/**
 * The rules of docs/trail.md. `lines` are the values of the request's trail header lines, one character a
 * byte (latin1), in order; none when there is no such header. Several lines are one list (RFC 9110, 5.3).
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
        ? leave(policy, parseTrail(lines.join(',')))
        : keep(policy, parseTrail(lines.join(',')));
  }
}

/** From another IDC. `names` counts the crossings made: each name is an IDC that the request has left. */
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

/** From the own ingress gateway: it must have put the own name last, and would not have let it in twice. */
function leave(policy: TrailPolicy, names: readonly string[] | undefined): TrailVerdict {
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
 * From another IDC, and not to be refused: counted and appended to, whatever names there are. A trail that
 * has no room left stays as it is, so that a request in circles does not grow; one that cannot be read is
 * begun anew.
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

/** From the own ingress gateway, and not to be refused: unchanged, or begun anew when it cannot be read. */
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
 * HTTP status of a refusal. 508 Loop Detected is RFC 5842; what leaves the IDC wrongly is always our own
 * fault, so never 400.
 */
export function refusalStatus(listener: GuardedListener, outcome: TrailOutcome): number {
  return listener === 'egress-ingress' || outcome === 'loop' ? 508 : 400;
}

/** Body of a refusal, and message of its gRPC status. Says nothing that came with the request. */
export function refusalText(policy: TrailPolicy, outcome: TrailOutcome): string {
  return `isthmus: ${outcome} at ${policy.listener} of ${policy.idc}`;
}

type CounterName = 'hops' | 'loop_rejected' | 'hop_limit_rejected' | 'malformed_rejected' | 'trail_spoofed';

const counterOf: Readonly<Record<TrailOutcome, CounterName>> = {
  loop: 'loop_rejected',
  'hop-limit': 'hop_limit_rejected',
  malformed: 'malformed_rejected',
};

/** What the peer listener counts for each IDC that it is called from. */
const counterNamesByPeer: readonly CounterName[] = ['hops', 'loop_rejected', 'hop_limit_rejected'];

/** The name of a metric, as the filter defines it; Envoy shows it behind `wasmcustom.`. */
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
