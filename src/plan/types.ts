import type { Audience } from '../model/audience.ts';
import type { StatusRange } from '../model/health.ts';
import type { Failback } from '../model/idc.ts';
import type { ConsistentHash, Warmup } from '../model/service.ts';

/** A Group's port: what is routed. `host:port` names it everywhere. */
export interface GroupPort {
  readonly host: string;
  readonly port: number;
}

/** Something that can be connected to. */
export interface Endpoint {
  /** An IP address, or `unix:///path`; where the Group is looked up, also a DNS name. */
  readonly address: string;
  readonly port: number;
  /** Relative, ≥ 1. */
  readonly weight: number;
}

/** Endpoints of one locality. */
export interface PlannedLocality {
  /** `region/zone/subzone`; the region is the IDC. */
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
  /** Absent: 0, the first. Others are taken when those before have nobody. */
  readonly priority?: number;
  /** Taken only while nobody of any priority can serve who is not a last resort, way out included. */
  readonly lastResort?: true;
}

/**
 * That a proxy looks the addresses of instances up by DNS, again and again. `every`: each address of a name
 * is an instance;
 * `one`: a name is one instance, and each new connection goes to the first address of the last answer;
 * `request`: there are no instances, each request's host is looked up.
 */
export type Lookup = 'every' | 'one' | 'request';

/** Where requests may go next: one priority of a path. */
export type Target =
  /** Instances of the Group in this IDC. */
  | { readonly kind: 'instances' }
  /** The egress gateways of this IDC. */
  | { readonly kind: 'egress' }
  /** The ingress gateways of another IDC. */
  | { readonly kind: 'idc'; readonly idc: string };

/** What may be tried again, in domain words. */
export type RetryCondition =
  /** The request never reached the next hop: nothing can happen twice. */
  | 'unsent'
  /**
   * A proxy further on answered that the request never reached an instance: nothing can happen twice either.
   */
  | 'told-unsent'
  /**
   * Another IDC answered that it has nobody, or no room, and handed it on to nobody: nothing can happen
   * twice, and the next may serve it.
   */
  | 'told-nobody'
  /** The connection broke after the request was sent. */
  | 'reset'
  /** The next hop answered 502, 503 or 504. */
  | 'gateway-error';

/** How one class of methods is retried. */
export interface RetryRule {
  readonly on: readonly RetryCondition[];
  /** Tries after the first. */
  readonly retries: number;
  /** Time for one try, in milliseconds; 0: none. */
  readonly perTryMs: number;
  /** Whether a try that outlasts its time goes on beside the next one; else it is given up. */
  readonly hedged: boolean;
  /** How many tries in a row a priority gets before the next priority is taken. */
  readonly triesPerPriority: number;
  /**
   * Up to so long before the second try, in milliseconds, twice as long before each that follows; absent: 10.
   */
  readonly pauseMs?: number;
}

/** One layer's handling of time and failure; see docs/ARCHITECTURE.md, "one layer retries". */
export interface RetryPlan {
  /** Whole request, in milliseconds; 0: none. */
  readonly timeoutMs: number;
  /** Methods that are sent again though an earlier try may have been executed. */
  readonly idempotentMethods: readonly string[];
  readonly idempotent: RetryRule;
  /** All other methods: only what is known never to have reached an instance. */
  readonly other: RetryRule;
}

/** The listener at which a request comes in. */
export type ListenerRole =
  /** Sidecar, from its workload. */
  | 'outbound'
  /** Ingress, from clients. */
  | 'edge'
  /** Ingress, from other IDCs' egress gateways. */
  | 'peer'
  /** Egress, from own sidecars. */
  | 'sidecar'
  /** Egress, from own ingress gateways. */
  | 'ingress';

/** The way from one listener to a Group. An empty list of priorities: nobody may serve it here. */
export interface Path {
  readonly listener: ListenerRole;
  readonly priorities: readonly Target[];
  readonly retry: RetryPlan;
}

/**
 * The ways of requests from other IDCs that may be handed on when they cannot be served here. A request
 * that came straight from where it began may be tried twice at instances; one that has crossed more often
 * only when it was never sent, so that tries do not multiply along the way.
 */
interface HandOn {
  readonly first: Path;
  readonly later: Path;
  /**
   * From the own egress on, where fewer IDCs are left to be asked, by the number of names in the trail: from
   * 2 on.
   */
  readonly onward: readonly Path[];
}

/** What an instance is asked for: by HTTP GET, or by grpc.health.v1, where '' stands for the whole server. */
export type HealthQuestion =
  | { readonly kind: 'http'; readonly path: string; readonly statuses: readonly StatusRange[] }
  | { readonly kind: 'grpc'; readonly service: string };

/** Active health checks of instances. */
export interface HealthCheck {
  readonly question: HealthQuestion;
  readonly intervalMs: number;
  /** The port that is asked, where it is another one than requests go to. */
  readonly port?: number;
  /** How long the peer listener takes to answer another IDC's check, at most. */
  readonly answerMs: number;
}

/**
 * Passive health: what ejects an instance, and for how long. Times in milliseconds. Timeouts count as gateway
 * errors and failed connections too, unless local failures are split off: with the split, each connection
 * that opens forgives the timeouts before it, and a hung instance is hardly ever ejected (decision 001).
 */
export interface Outlier {
  /** 502, 503, 504; absent: they do not eject. */
  readonly consecutiveGatewayErrors?: number;
  /** Any 5xx; absent: an instance's own 500s do not eject it. */
  readonly consecutive5xx?: number;
  /** Splits off connection failures and timeouts, counted apart; absent: no split. */
  readonly consecutiveLocalOriginFailures?: number;
  /**
   * An instance of which so many requests in an interval were answered, so many percent of them with a 5xx;
   * while at least so many that are not ejected had as many. `ofConnections`: the same of connections and
   * tries that broke or outlasted a time that the Group declares, apart from answers. Absent: no share
   * ejects.
   */
  readonly failureShare?: {
    readonly percent: number;
    readonly requestsMin: number;
    readonly instancesMin: number;
    readonly ofConnections: boolean;
  };
  /** Whether an active check that passes ends an ejection; absent: it does. */
  readonly checksEndEjections?: false;
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  /**
   * Share of instances that may be ejected, percent, by who ejects. 99 is "all but the last": where there is
   * nowhere else to go, a sick instance is better than none.
   */
  readonly maxEjectionPercent: Readonly<Record<'sidecar' | 'ingress', number>>;
}

/** How connections to the instances of a Group are made. Times in milliseconds. */
export interface ConnectionPlan {
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
  /** 0: no limit. */
  readonly maxRequestsPerConnection: number;
  /**
   * A connection whose peer does not confirm what was sent for so long is dead; absent: the kernel's
   * retransmissions decide.
   */
  readonly unacknowledgedMs?: number;
  readonly tcpKeepalive?: {
    readonly probes?: number;
    readonly timeMs?: number;
    readonly intervalMs?: number;
  };
}

/** TLS from a proxy to instances. Files are on the proxy's machine. */
export interface OriginatedTls {
  /** The name that is asked for (SNI); absent: the host of each request. */
  readonly serverName?: string;
  /** Absent: whoever answers is taken for the instance. */
  readonly verify?: {
    readonly caFile: string;
    /** The certificate must have one of them; absent: the host of each request. */
    readonly names?: readonly string[];
  };
  /** What the proxy shows of itself. */
  readonly client?: { readonly certFile: string; readonly keyFile: string };
}

/** Another IDC that may serve a Group. */
export interface CrossingIdc {
  readonly idc: string;
  /** 0 first; IDCs of one priority share its requests by weight. */
  readonly priority: number;
  /** Relative, ≥ 1; absent: it shares its priority with nobody. */
  readonly weight?: number;
}

/** Where a request may go that has visited just these IDCs. */
export interface Permit {
  /** The set of visited IDCs with the own one, as the trail filter names it (`visitedHeader`). */
  readonly visited: string;
  /** Other IDCs that it may still cross to. */
  readonly to: readonly string[];
}

/** How requests to a Group may cross to other IDCs. */
export interface Crossing {
  /** Most preferred first. */
  readonly idcs: readonly CrossingIdc[];
  /** A set that is not among them may go nowhere. `all`: no loop prevention, in drills only. */
  readonly permits: readonly Permit[] | 'all';
  /**
   * A request from another IDC that cannot be served here may be handed on while its trail has at most so
   * many names, the own one included. Absent: never. Infinity: always, in drills only.
   */
  readonly handOnNamesMax?: number;
  /** How long a connection to an ingress gateway of another IDC may take. */
  readonly connectTimeoutMs: number;
  /** After so long without a frame that answers a PING such a gateway is taken for dead. */
  readonly silenceMs: number;
  /** How the egress learns that an IDC has nobody for the Group; absent: by failing requests alone. */
  readonly check?: CrossingCheck;
}

/** Health checks of a Group in another IDC, from the egress through that IDC's ingress. */
export interface CrossingCheck {
  readonly intervalMs: number;
  /** While the last check failed. */
  readonly unhealthyIntervalMs: number;
  readonly timeoutMs: number;
}

/**
 * How many tries after the first a proxy has under way at once: a share of all that are under way, and always
 * `min`.
 */
export interface PlannedRetryBudget {
  readonly sharePercent: number;
  readonly min: number;
}

/** What an IDC takes of a Group from other IDCs. */
interface SpillBound {
  /** Requests that each ingress gateway has in work at once, at most. */
  readonly limit: number;
  /** Requests that one instance here works on at once, as declared. */
  readonly concurrent: number;
  /** Whether other Groups give way to it. */
  readonly isCritical: boolean;
}

/** All that is decided for one Group port in one IDC, whatever the proxy. Immutable. */
export interface GroupPlan {
  readonly group: GroupPort;
  readonly namespace: string;
  /**
   * Who uses it; absent: everybody. Where callers see different declarations of a host there are several
   * plans.
   */
  readonly seenBy?: Audience;
  /** Whether this port also answers to the bare host: the first HTTP port does. */
  readonly isDefaultPort: boolean;
  /**
   * Of the default port: ports that requests may name and nobody answers, though the host has them. Absent:
   * none.
   */
  readonly closedPorts?: readonly number[];
  /** What instances speak; `tcp`: bytes that are carried as they come. */
  readonly protocol: 'http1' | 'http2' | 'tcp';
  /** A TCP port whose connections begin with TLS, and so with the name that they are for (SNI, RFC 6066). */
  readonly sni?: true;
  /** Addresses of the Group's own, at which callers of a TCP Group connect; HTTP is found by its host. */
  readonly addresses: readonly string[];
  /** Instances in this IDC, by locality; of a host outside of the mesh all that there are. */
  readonly instances: readonly PlannedLocality[];
  /**
   * Percent, 0 to 100, of its requests that the IDC keeps while all of its instances can serve; absent: it
   * keeps all while half of them can. At 0 they are a last resort, or come last in the paths.
   */
  readonly homeShare?: number;
  /**
   * Of that, what evacuations leave at home, percent; absent: none is obeyed, or the Group has no `failback`.
   */
  readonly evacuationShare?: number;
  /** Absent: the addresses of instances are given. */
  readonly lookup?: Lookup;
  /** Nobody listens for a TCP port: callers reach it by CONNECT alone. */
  readonly byConnect?: true;
  /** Absent: the Group never leaves this IDC. */
  readonly crossing?: Crossing;
  /**
   * A stream without a byte in either direction, at the first proxy, in milliseconds; 0: it may be quiet for
   * ever.
   */
  readonly idleTimeoutMs: number;
  /** Up to this many bytes of a request's body each hop keeps, so that it can be sent again. */
  readonly retryBodyBytes: number;
  /** Absent: a new instance has its full share at once. */
  readonly warmup?: Warmup;
  /** A proxy that knows its zone takes that zone's instances first (`zone.ts`). */
  readonly zonePreference?: true;
  /** Absent: requests do not stick. */
  readonly hash?: ConsistentHash;
  readonly loadBalancer: 'ROUND_ROBIN' | 'LEAST_REQUEST' | 'RANDOM';
  readonly connection: ConnectionPlan;
  /** At the first proxy; absent: `connection.maxRetries`. */
  readonly retryBudget?: PlannedRetryBudget;
  /** What bounds requests from other IDCs; absent: nothing of its own. */
  readonly spill?: SpillBound;
  /** Absent: instances are spoken to without TLS. */
  readonly tls?: OriginatedTls;
  /**
   * Whether a sidecar of ours stands before each instance: HTTP/2 goes to it, whatever the instance speaks.
   */
  readonly sidecars: boolean;
  readonly outlier: Outlier;
  readonly health?: HealthCheck;
  /** How it comes home when nobody was left; absent: all at once. */
  readonly failback?: Failback;
  /**
   * The share of its reads, percent, that are sent to the instances as well, to warm them; absent: none is.
   */
  readonly mirror?: number;
  readonly paths: Readonly<Record<ListenerRole, Path>>;
  /** At the peer listener, for requests that may be handed on; absent: none may, all take `paths.peer`. */
  readonly handOn?: HandOn;
}
