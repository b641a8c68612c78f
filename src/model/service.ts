import type { Labels, Meta } from './meta.ts';

/** Port protocols as Istio names them; `HTTP` serves HTTP/1.1, `HTTP2` and `GRPC` serve HTTP/2. */
export type Protocol = 'HTTP' | 'HTTP2' | 'GRPC' | 'HTTPS' | 'TLS' | 'TCP' | 'MONGO';

/** A port of a ServiceEntry (networking.istio.io ServicePort). */
export interface ServicePort {
  readonly number: number;
  readonly name: string;
  readonly protocol: Protocol;
  /** The endpoints' port, if not `number`. */
  readonly targetPort?: number;
}

/** An instance's part of a WorkloadEntry; also an inline endpoint of a ServiceEntry. */
export interface WorkloadSpec {
  /** IP address, DNS name or `unix:///path`. */
  readonly address: string;
  /** Ports by the service's port names. */
  readonly ports: Readonly<Record<string, number>>;
  readonly labels: Labels;
  readonly network?: string;
  /** `region/zone/subzone`; the region is the IDC. */
  readonly locality?: string;
  /** Relative weight, ≥ 1; absent: 1. */
  readonly weight?: number;
}

/** networking.istio.io ServiceEntry: declares hosts; each host with its instances is a Group. */
export interface ServiceEntry {
  readonly kind: 'ServiceEntry';
  readonly meta: Meta;
  readonly spec: {
    readonly hosts: readonly string[];
    readonly ports: readonly ServicePort[];
    /** IP addresses on which a sidecar listens for the TCP ports. Prefixes are left out. */
    readonly addresses?: readonly string[];
    readonly resolution: 'NONE' | 'STATIC' | 'DNS' | 'DNS_ROUND_ROBIN' | 'DYNAMIC_DNS';
    readonly location: 'MESH_EXTERNAL' | 'MESH_INTERNAL';
    /** Selects WorkloadEntries of the same namespace; excludes `endpoints`. */
    readonly workloadSelector?: Labels;
    readonly endpoints: readonly WorkloadSpec[];
    /** Namespaces whose callers see the hosts; absent: all. */
    readonly exportTo?: readonly string[];
    /** Names accepted in a server's certificate, if a DestinationRule originates TLS and names none. */
    readonly subjectAltNames?: readonly string[];
  };
}

/** networking.istio.io WorkloadEntry: one instance. */
export interface WorkloadEntry {
  readonly kind: 'WorkloadEntry';
  readonly meta: Meta;
  readonly spec: WorkloadSpec;
}

/**
 * TLS from proxies to instances (networking.istio.io ClientTLSSettings). Files are on the proxy's machine.
 */
export interface ClientTls {
  /** `MUTUAL`: with a client certificate. */
  readonly mode: 'SIMPLE' | 'MUTUAL';
  readonly sni?: string;
  readonly subjectAltNames?: readonly string[];
  readonly caCertificates?: string;
  readonly clientCertificate?: string;
  readonly privateKey?: string;
  readonly insecureSkipVerify?: boolean;
}

/** Session affinity: the request's property that selects the instance (Istio, ConsistentHashLB). */
export interface ConsistentHash {
  readonly by:
    | { readonly kind: 'header' | 'query'; readonly name: string }
    /** With a TTL the proxy sets a missing cookie; 0: a session cookie. */
    | { readonly kind: 'cookie'; readonly name: string; readonly path?: string; readonly ttlMs?: number }
    | { readonly kind: 'source-ip' };
  /** Minimal size of a ring, or the size, a prime, of Maglev's table. */
  readonly table: { readonly kind: 'ring' | 'maglev'; readonly size: number };
}

/** How a new instance's share grows (Istio, WarmupConfiguration). */
export interface Warmup {
  readonly durationMs: number;
  readonly minimumPercent: number;
  readonly aggression: number;
}

/** The supported part of a DestinationRule's traffic policy. Times in milliseconds. */
export interface TrafficPolicy {
  readonly connectTimeoutMs?: number;
  readonly tcpKeepalive?: {
    readonly probes?: number;
    readonly timeMs?: number;
    readonly intervalMs?: number;
  };
  readonly maxConnections?: number;
  readonly maxPendingRequests?: number;
  readonly maxRequests?: number;
  readonly maxRequestsPerConnection?: number;
  readonly maxRetries?: number;
  readonly idleTimeoutMs?: number;
  /** Absent: no TLS. */
  readonly tls?: ClientTls;
  /**
   * A new instance gets its full share after `durationMs`: `minimumPercent` of it at first, growing by
   * `aggression`.
   */
  readonly warmup?: Warmup;
  /** Instances of a proxy's zone are preferred to those of other zones. */
  readonly zonePreference?: true;
  /** Overrides `loadBalancer`. */
  readonly hash?: ConsistentHash;
  readonly loadBalancer?: 'ROUND_ROBIN' | 'LEAST_REQUEST' | 'RANDOM';
  readonly outlier?: {
    /** 0 disables a detector. */
    readonly consecutive5xxErrors?: number;
    readonly consecutiveGatewayErrors?: number;
    readonly consecutiveLocalOriginFailures?: number;
    readonly splitExternalLocalOriginErrors?: boolean;
    readonly intervalMs?: number;
    readonly baseEjectionTimeMs?: number;
    readonly maxEjectionPercent?: number;
  };
}

/** networking.istio.io DestinationRule: traffic policy for a host, optionally by port number. */
export interface DestinationRule {
  readonly kind: 'DestinationRule';
  readonly meta: Meta;
  readonly spec: {
    readonly host: string;
    /** Namespaces whose ServiceEntries it may apply to; absent: all. */
    readonly exportTo?: readonly string[];
    readonly policy: TrafficPolicy;
    readonly portPolicies: Readonly<Record<number, TrafficPolicy>>;
  };
}
