import type { Labels, Meta } from './meta.ts';

/** Port protocols as Istio names them; `HTTP` serves HTTP/1.1, `HTTP2` and `GRPC` serve HTTP/2. */
export type Protocol = 'HTTP' | 'HTTP2' | 'GRPC' | 'HTTPS' | 'TLS' | 'TCP' | 'MONGO';

/** A port of a ServiceEntry (networking.istio.io ServicePort). */
export interface ServicePort {
  readonly number: number;
  readonly name: string;
  readonly protocol: Protocol;
  /** The port of the endpoints, when it differs from `number`. */
  readonly targetPort?: number;
}

/** The part of a WorkloadEntry that describes an instance; also an inline endpoint of a ServiceEntry. */
export interface WorkloadSpec {
  /** IP address, DNS name or `unix:///path`. */
  readonly address: string;
  /** Port by the name of the service's port. */
  readonly ports: Readonly<Record<string, number>>;
  readonly labels: Labels;
  readonly network?: string;
  /** `region/zone/subzone`; what stands before the first `/` is the IDC. */
  readonly locality?: string;
  /** Relative weight, ≥ 1; absent means 1. */
  readonly weight?: number;
}

/** networking.istio.io ServiceEntry: declares hosts; each host with its instances is a Group. */
export interface ServiceEntry {
  readonly kind: 'ServiceEntry';
  readonly meta: Meta;
  readonly spec: {
    readonly hosts: readonly string[];
    readonly ports: readonly ServicePort[];
    /**
     * Single addresses, at which a sidecar listens for connections to the TCP ports. Prefixes are left out.
     */
    readonly addresses?: readonly string[];
    readonly resolution: 'NONE' | 'STATIC' | 'DNS' | 'DNS_ROUND_ROBIN' | 'DYNAMIC_DNS';
    readonly location: 'MESH_EXTERNAL' | 'MESH_INTERNAL';
    /** Selects WorkloadEntries of the same namespace; excludes `endpoints`. */
    readonly workloadSelector?: Labels;
    readonly endpoints: readonly WorkloadSpec[];
    /** Namespaces whose callers see the hosts; absent: all. */
    readonly exportTo?: readonly string[];
    /**
     * Names of which a server's certificate must have one, where a DestinationRule has proxies speak TLS and
     * names none.
     */
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
 * How proxies speak TLS to instances (networking.istio.io ClientTLSSettings). Files are on the machine of the
 * proxy.
 */
export interface ClientTls {
  /** `MUTUAL`: the proxy has a certificate too. */
  readonly mode: 'SIMPLE' | 'MUTUAL';
  readonly sni?: string;
  readonly subjectAltNames?: readonly string[];
  readonly caCertificates?: string;
  readonly clientCertificate?: string;
  readonly privateKey?: string;
  readonly insecureSkipVerify?: boolean;
}

/** What decides which instance a request goes to, as long as that one is there (Istio, ConsistentHashLB). */
export interface ConsistentHash {
  readonly by:
    | { readonly kind: 'header' | 'query'; readonly name: string }
    /** With a time to live the proxy sets the cookie where there is none; 0: until the client is closed. */
    | { readonly kind: 'cookie'; readonly name: string; readonly path?: string; readonly ttlMs?: number }
    | { readonly kind: 'source-ip' };
  /** Places: at least so many of a ring, or just so many, a prime, of Maglev's table. */
  readonly table: { readonly kind: 'ring' | 'maglev'; readonly size: number };
}

/** How the share of a new instance grows (Istio, WarmupConfiguration). */
export interface Warmup {
  readonly durationMs: number;
  readonly minimumPercent: number;
  readonly aggression: number;
}

/** Traffic policy of a DestinationRule, as far as it is supported. Times in milliseconds. */
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
   * A new instance gets its full share only after `durationMs`: `minimumPercent` of it at first, then more by
   * `aggression`.
   */
  readonly warmup?: Warmup;
  /** Instances of a proxy's own zone are preferred to those of the IDC's other zones. */
  readonly zonePreference?: true;
  /** Goes before `loadBalancer`. */
  readonly hash?: ConsistentHash;
  readonly loadBalancer?: 'ROUND_ROBIN' | 'LEAST_REQUEST' | 'RANDOM';
  readonly outlier?: {
    /** 0 switches a detector off. */
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
    /** Namespaces whose ServiceEntries it may govern; absent: all. */
    readonly exportTo?: readonly string[];
    readonly policy: TrafficPolicy;
    readonly portPolicies: Readonly<Record<number, TrafficPolicy>>;
  };
}
