/** A Group's port: what is routed. `host:port` names it everywhere. */
export interface GroupPort {
  readonly host: string;
  readonly port: number;
}

/** Something that can be connected to. */
export interface Endpoint {
  /** An IP address, or `unix:///path`. */
  readonly address: string;
  readonly port: number;
  /** Relative, ≥ 1. */
  readonly weight: number;
}

/** Endpoints of one locality. */
export interface Locality {
  /** `region/zone/subzone`; the region is the IDC. */
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
}

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
  /** The connection broke after the request was sent. */
  | 'reset'
  /** The next hop answered 502, 503 or 504. */
  | 'gateway-error';

/** How one class of methods is retried. */
export interface RetryRule {
  readonly on: readonly RetryCondition[];
  /** Tries after the first. */
  readonly retries: number;
  /** Time for one try, in milliseconds, after which another is started beside it (hedged); 0: none. */
  readonly perTryMs: number;
  /** How many tries in a row a priority gets before the next priority is taken. */
  readonly triesPerPriority: number;
}

/** One layer's handling of time and failure; see docs/ARCHITECTURE.md, "one layer retries". */
export interface RetryPlan {
  /** Whole request, in milliseconds; 0: none. */
  readonly timeoutMs: number;
  /** Methods that may be sent twice. */
  readonly idempotentMethods: readonly string[];
  readonly idempotent: RetryRule;
  /** All other methods: only what was never sent. */
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

/** Active health checks of instances. */
export interface HealthCheck {
  readonly path: string;
  readonly intervalMs: number;
}

/**
 * Passive health: what ejects an instance, and for how long. Times in milliseconds. Timeouts count as gateway
 * errors and failed connections too, unless local failures are split off: with the split, each connection that
 * opens forgives the timeouts before it, and a hung instance is hardly ever ejected (decision 001).
 */
export interface Outlier {
  /** 502, 503, 504; absent: they do not eject. */
  readonly consecutiveGatewayErrors?: number;
  /** Any 5xx; absent: an instance's own 500s do not eject it. */
  readonly consecutive5xx?: number;
  /** Splits off connection failures and timeouts, counted apart; absent: no split. */
  readonly consecutiveLocalOriginFailures?: number;
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
export interface Connection {
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
  /** 0: no limit. */
  readonly maxRequestsPerConnection: number;
  readonly tcpKeepalive?: {
    readonly probes?: number;
    readonly timeMs?: number;
    readonly intervalMs?: number;
  };
}

/** All that is decided for one Group port in one IDC, whatever the proxy. Immutable. */
export interface GroupPlan {
  readonly group: GroupPort;
  readonly namespace: string;
  /** Whether this port also answers to the bare host: the first HTTP port does. */
  readonly isDefaultPort: boolean;
  readonly protocol: 'http1' | 'http2';
  /** Instances in this IDC, by locality. */
  readonly instances: readonly Locality[];
  /** Other IDCs that may serve it, most preferred first; empty: the Group never leaves this IDC. */
  readonly remoteIdcs: readonly string[];
  readonly loadBalancer: 'ROUND_ROBIN' | 'LEAST_REQUEST' | 'RANDOM';
  readonly connection: Connection;
  readonly outlier: Outlier;
  readonly health?: HealthCheck;
  readonly paths: Readonly<Record<ListenerRole, Path>>;
}
