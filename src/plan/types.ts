import type { Audience } from '../model/audience.ts';
import type { StatusRange } from '../model/health.ts';
import type { Failback } from '../model/idc.ts';
import type { ConsistentHash, Warmup } from '../model/service.ts';

/** A Group's routed port. `host:port` names it everywhere. */
export interface GroupPort {
  readonly host: string;
  readonly port: number;
}

/** An address to connect to. */
export interface Endpoint {
  /** An IP address, or `unix:///path`; for a looked-up Group also a DNS name. */
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
  /** Absent: 0, the first. Higher ones are used when all lower ones are empty. */
  readonly priority?: number;
  /** Used only when no priority, the exit included, has another endpoint that can serve. */
  readonly lastResort?: true;
}

/**
 * Proxies resolve instances by DNS, repeatedly. `every`: each address of a name is an instance; `one`: a name
 * is one instance, and each new connection uses the first address of the last answer; `request`: no
 * instances, each request's host is resolved.
 */
export type Lookup = 'every' | 'one' | 'request';

/** Targets of requests: one priority of a path. */
export type Target =
  /** Instances of the Group in this IDC. */
  | { readonly kind: 'instances' }
  /** The egress gateways of this IDC. */
  | { readonly kind: 'egress' }
  /** The ingress gateways of another IDC. */
  | { readonly kind: 'idc'; readonly idc: string };

/** What may be retried, independent of Envoy. */
export type RetryCondition =
  /** The request never reached the next hop: it cannot be executed twice. */
  | 'unsent'
  /** A later proxy answered that the request never reached an instance: it cannot be executed twice. */
  | 'told-unsent'
  /**
   * Another IDC answered that it has no instances or capacity, and did not hand it on: it cannot be executed
   * twice, and the next may serve it.
   */
  | 'told-nobody'
  /** The connection broke after the request was sent. */
  | 'reset'
  /** The next hop answered 502, 503 or 504. */
  | 'gateway-error';

/** How a class of methods is retried. */
export interface RetryRule {
  readonly on: readonly RetryCondition[];
  /** Tries after the first. */
  readonly retries: number;
  /** Timeout of a try, in milliseconds; 0: none. */
  readonly perTryMs: number;
  /** Whether a try continues beside the next one after its timeout; else it is cancelled. */
  readonly hedged: boolean;
  /** Tries per priority before the next is used. */
  readonly triesPerPriority: number;
  /**
   * Upper bound of the pause before the second try, in milliseconds, doubled for each further one; absent:
   * 10.
   */
  readonly pauseMs?: number;
}

/** One layer's timeouts and retries; see docs/ARCHITECTURE.md, "one layer retries". */
export interface RetryPlan {
  /** Whole request, in milliseconds; 0: none. */
  readonly timeoutMs: number;
  /** Methods retried although an earlier try may have been executed. */
  readonly idempotentMethods: readonly string[];
  readonly idempotent: RetryRule;
  /** All other methods: retried only if known never to have reached an instance. */
  readonly other: RetryRule;
}

/** The listener where a request arrives. */
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

/** The path from a listener to a Group. No priorities: it is not served here. */
export interface Path {
  readonly listener: ListenerRole;
  readonly priorities: readonly Target[];
  readonly retry: RetryPlan;
}

/**
 * Paths of requests from other IDCs that may be handed on if they cannot be served here. A request that came
 * directly from its origin may be tried twice at instances; one that crossed more often is retried only if it
 * was never sent, so that tries do not multiply.
 */
interface HandOn {
  readonly first: Path;
  readonly later: Path;
  /**
   * From the local egress, when fewer IDCs are left to ask, by the number of names in the trail: from 2 on.
   */
  readonly onward: readonly Path[];
}

/** The health check's request: HTTP GET, or grpc.health.v1, where '' means the whole server. */
export type HealthQuestion =
  | { readonly kind: 'http'; readonly path: string; readonly statuses: readonly StatusRange[] }
  | { readonly kind: 'grpc'; readonly service: string };

/** Active health checks of instances. */
export interface HealthCheck {
  readonly question: HealthQuestion;
  readonly intervalMs: number;
  /** The checked port, if not the service's. */
  readonly port?: number;
  /** Upper bound of the peer listener's time to answer another IDC's check. */
  readonly answerMs: number;
}

/**
 * Outlier detection: what ejects an instance, and for how long. Times in milliseconds. Timeouts and failed
 * connections count as gateway errors too, unless local failures are split off: with the split, each
 * connection that opens resets the count of timeouts, and a hung instance is hardly ever ejected (decision
 * 001).
 */
export interface Outlier {
  /** 502, 503, 504; absent: no ejection. */
  readonly consecutiveGatewayErrors?: number;
  /** Any 5xx; absent: an instance's own 500s do not eject it. */
  readonly consecutive5xx?: number;
  /** Counts connection failures and timeouts separately; absent: no split. */
  readonly consecutiveLocalOriginFailures?: number;
  /**
   * Ejects an instance with this percentage of 5xx answers of at least so many in an interval; needs so many
   * instances with as many answers that are not ejected. `ofConnections`: the same for connections and tries
   * that broke or timed out, instead of answers. Absent: no ejection by share.
   */
  readonly failureShare?: {
    readonly percent: number;
    readonly requestsMin: number;
    readonly instancesMin: number;
    readonly ofConnections: boolean;
  };
  /** Whether a passed active check ends an ejection; absent: it does. */
  readonly checksEndEjections?: false;
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  /**
   * Largest percentage ejected, by proxy. 99 means "all but the last": without an alternative, a sick
   * instance is better than none.
   */
  readonly maxEjectionPercent: Readonly<Record<'sidecar' | 'ingress', number>>;
}

/** Connections to a Group's instances. Times in milliseconds. */
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
   * A connection whose sent data is unacknowledged for this long is dead; absent: the kernel's
   * retransmissions decide.
   */
  readonly unacknowledgedMs?: number;
  readonly tcpKeepalive?: {
    readonly probes?: number;
    readonly timeMs?: number;
    readonly intervalMs?: number;
  };
}

/** TLS from a proxy to instances. Paths are on the proxy's machine. */
export interface OriginatedTls {
  /** The SNI name; absent: the host of each request. */
  readonly serverName?: string;
  /** Absent: certificates are not verified. */
  readonly verify?: {
    readonly caFile: string;
    /** Accepted names in the certificate; absent: the host of each request. */
    readonly names?: readonly string[];
  };
  /** The proxy's client certificate. */
  readonly client?: { readonly certFile: string; readonly keyFile: string };
}

/** Another IDC that may serve a Group. */
export interface CrossingIdc {
  readonly idc: string;
  /** 0 first; IDCs of one priority share its requests by weight. */
  readonly priority: number;
  /** Relative, ≥ 1; absent: alone in its priority. */
  readonly weight?: number;
}

/** Where a request may go after visiting exactly these IDCs. */
export interface Permit {
  /** The set of visited IDCs with the local one, as the trail filter names it (`visitedHeader`). */
  readonly visited: string;
  /** Other IDCs that it may cross to. */
  readonly to: readonly string[];
}

/** How requests to a Group may cross to other IDCs. */
export interface Crossing {
  /** Most preferred first. */
  readonly idcs: readonly CrossingIdc[];
  /** A set not listed may go nowhere. `all`: no loop prevention, in drills only. */
  readonly permits: readonly Permit[] | 'all';
  /** The set of a request that has visited no other IDC yet: such a request may go to all of `idcs`. */
  readonly begun: string;
  /**
   * Names everything that decides how requests that begin here leave. Groups with equal names share an
   * egress's cluster for them. Absent: the Group has one of its own, as its checks or its connections are to
   * be told from those of others; or without loop prevention.
   */
  readonly away?: string;
  /**
   * Names everything that decides where a request may be handed on to. Groups with equal names share an
   * egress's cluster for such requests. Absent: nothing is handed on, or without loop prevention.
   */
  readonly onward?: string;
  /**
   * A request from another IDC that cannot be served here may be handed on while its trail has at most this
   * many names, the local one included. Absent: never. Infinity: always, in drills only.
   */
  readonly handOnNamesMax?: number;
  /** Connect timeout to another IDC's ingress gateway. */
  readonly connectTimeoutMs: number;
  /** Such a gateway counts as dead after this long without an answer to a PING. */
  readonly silenceMs: number;
  /** How the egress learns that an IDC has no instances of the Group; absent: only from failed requests. */
  readonly check?: CrossingCheck;
}

/** Health checks of a Group in another IDC, from the egress through that IDC's ingress. */
export interface CrossingCheck {
  readonly intervalMs: number;
  /** While the last check failed. */
  readonly unhealthyIntervalMs: number;
  readonly timeoutMs: number;
}

/** Limit on concurrent retries at a proxy: a percentage of requests in flight, and at least `min`. */
export interface PlannedRetryBudget {
  readonly sharePercent: number;
  readonly min: number;
}

/** The limit on a Group's requests from other IDCs. */
interface SpillBound {
  /** Concurrent requests at each ingress gateway. */
  readonly limit: number;
  /** Declared concurrent requests of one instance. */
  readonly concurrent: number;
  /** Whether other Groups yield to it. */
  readonly isCritical: boolean;
}

/** All decisions for one Group port in one IDC, independent of the proxy. Immutable. */
export interface GroupPlan {
  readonly group: GroupPort;
  readonly namespace: string;
  /** Its callers; absent: all. If callers see different declarations of a host there are several plans. */
  readonly seenBy?: Audience;
  /** Whether this port also answers to the bare host: the first HTTP port does. */
  readonly isDefaultPort: boolean;
  /** On the default port: ports of the host that requests may name and that are not served. Absent: none. */
  readonly closedPorts?: readonly number[];
  /** The instances' protocol; `tcp`: opaque bytes. */
  readonly protocol: 'http1' | 'http2' | 'tcp';
  /** A TCP port whose connections begin with TLS, and so name their host (SNI, RFC 6066). */
  readonly sni?: true;
  /** The Group's own addresses, to which callers of a TCP Group connect; HTTP is matched by host. */
  readonly addresses: readonly string[];
  /** Instances in this IDC, by locality; of an external host all. */
  readonly instances: readonly PlannedLocality[];
  /**
   * Instances that an operator has drained: they finish what they have, get nothing new, and count nowhere.
   * Absent: none.
   */
  readonly drained?: readonly PlannedLocality[];
  /**
   * The percentage, 0 to 100, of its requests that the IDC keeps while all of its instances can serve;
   * absent: all while half of them can. At 0 they are a last resort, or last in the paths.
   */
  readonly localShare?: number;
  /** The part of that due to evacuations, percent; absent: none applies, or the Group has no `failback`. */
  readonly evacuationShare?: number;
  /** Absent: the addresses of instances are given. */
  readonly lookup?: Lookup;
  /** No listener for a TCP port: callers use CONNECT. */
  readonly byConnect?: true;
  /** Absent: the Group never leaves this IDC. */
  readonly crossing?: Crossing;
  /** Stream idle timeout at the first proxy, in milliseconds; 0: none. */
  readonly idleTimeoutMs: number;
  /** Bytes of a request's body that each hop buffers for retries. */
  readonly retryBodyBytes: number;
  /** Absent: a new instance gets its full share at once. */
  readonly warmup?: Warmup;
  /** A proxy that knows its zone prefers that zone's instances (`zone.ts`). */
  readonly zonePreference?: true;
  /** Absent: no session affinity. */
  readonly hash?: ConsistentHash;
  readonly loadBalancer: 'ROUND_ROBIN' | 'LEAST_REQUEST' | 'RANDOM';
  readonly connection: ConnectionPlan;
  /** At the first proxy; absent: `connection.maxRetries`. */
  readonly retryBudget?: PlannedRetryBudget;
  /** The limit on requests from other IDCs; absent: none. */
  readonly spill?: SpillBound;
  /** Absent: plain text. */
  readonly tls?: OriginatedTls;
  /** Whether each instance has a sidecar: it gets HTTP/2, whatever the instance speaks. */
  readonly sidecars: boolean;
  readonly outlier: Outlier;
  readonly health?: HealthCheck;
  /** Failback after the Group had no healthy instance; absent: all at once. */
  readonly failback?: Failback;
  /** The percentage of its reads mirrored to the instances to warm them; absent: none. */
  readonly mirror?: number;
  readonly paths: Readonly<Record<ListenerRole, Path>>;
  /** At the peer listener, for requests that may be handed on; absent: none, all use `paths.peer`. */
  readonly handOn?: HandOn;
}
