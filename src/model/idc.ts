import { MeshError } from '../base/error.ts';
import type { GroupSpill } from './capacity.ts';
import type { GroupHealth } from './health.ts';
import type { Labels, Meta } from './meta.ts';

/** The name of an IDC: 1 to 32 of `a-z 0-9 -`, not `-` at an end; it must fit a header value and a trail. */
export const idcNamePattern = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;

/** Validates the name of an IDC. Throws MeshError `invalid`. */
export function readIdcName(text: string): string {
  if (idcNamePattern.test(text)) return text;
  throw new MeshError(
    'invalid',
    `'${text}' is not an IDC name: a-z, 0-9 and -, at most 32, not - at an end.`,
  );
}

/** An ingress gateway: `edgePort` for clients, `peerPort` for other IDCs' egress gateways. */
interface IngressGateway {
  readonly address: string;
  readonly edgePort: number;
  readonly peerPort: number;
}

/** An egress gateway: `sidecarPort` for local sidecars, `ingressPort` for local ingress gateways. */
export interface EgressGateway {
  readonly address: string;
  readonly sidecarPort: number;
  readonly ingressPort: number;
}

/**
 * What an IDC's edge accepts from clients, and which proxies it trusts. All optional; defaults are
 * `edgeDefaults`.
 */
export interface EdgePolicy {
  /** HTTP proxies in front, whose X-Forwarded-* are trusted; absent: none, and these headers are removed. */
  readonly trustedProxies?: TrustedProxies;
  /** Whether connections begin with a PROXY protocol header (v1 or v2); absent: no. */
  readonly proxyProtocol?: 'required' | 'optional';
  /** How `%2F` and `%5C` in a path are handled. */
  readonly escapedSlashes?: EscapedSlashes;
  /** Whether `//` in a path becomes `/`. */
  readonly mergeSlashes?: boolean;
  /** Whether dot segments are resolved, and unreserved characters unescaped (RFC 3986, 6.2.2). */
  readonly normalizePath?: boolean;
  /** Header names with `_`. */
  readonly underscores?: Underscores;
  /** Whether HTTP/1.0 is answered. */
  readonly http10?: boolean;
  /** All headers of a request together, KiB. */
  readonly maxHeadersKiB?: number;
  /** Header lines of a request. */
  readonly maxHeaders?: number;
}

/** Proxies between clients and the edge. */
interface TrustedProxies {
  /** Their number, 0 to 10, each of which appends to X-Forwarded-For. 0: only PROXY protocol is trusted. */
  readonly hops: number;
  /** Prefixes of the last one's addresses; absent: any peer is trusted. */
  readonly from?: readonly string[];
}

/** `redirect`: to the path with the slashes unescaped, by 307. */
export const escapedSlashes = ['keep', 'reject', 'unescape', 'redirect'] as const;
export type EscapedSlashes = (typeof escapedSlashes)[number];

/** `drop`: the header alone. */
export const underscoreActions = ['allow', 'reject', 'drop'] as const;
export type Underscores = (typeof underscoreActions)[number];

/** Defaults of an Idc (docs/decisions/072-what-the-edge-passes.md). */
export const edgeDefaults = {
  escapedSlashes: 'keep',
  mergeSlashes: false,
  normalizePath: false,
  underscores: 'allow',
  http10: true,
  maxHeadersKiB: 60,
  maxHeaders: 200,
} as const satisfies EdgePolicy;

/**
 * Maximum of what an Idc may allow. The proxies behind the edge accept twice as much, and what proxies add.
 */
export const edgeLimits = { hopsMax: 10, headersKiBMax: 256, headersMax: 500, prefixesMax: 100 } as const;

/**
 * How gateways take what is sent to them. `accept`: TLS too, and nobody uses it yet; `use`: it is used,
 * plaintext is still taken; `require`: TLS alone.
 */
export const tlsModes = ['off', 'accept', 'use', 'require'] as const;
export type TlsMode = (typeof tlsModes)[number];

/** Mutual TLS between gateways of different IDCs. */
interface PeerTls {
  /** Of its ingress gateways, which other IDCs' egress gateways enter. */
  readonly mode: TlsMode;
  /** Of the IDC's own authority, in PEM: what other IDCs believe of its gateways. */
  readonly roots: string;
}

/** isthmus.dev Idc: one failure domain and its gateways. */
export interface Idc {
  readonly kind: 'Idc';
  readonly meta: Meta;
  readonly spec: {
    readonly ingress: readonly IngressGateway[];
    readonly egress: readonly EgressGateway[];
    readonly network?: string;
    /** Of its certificates: no other IDC's authority is believed for it; absent: none is known. */
    readonly trustDomain?: string;
    /** Absent: other IDCs' gateways and its own know each other by address alone. */
    readonly peerTls?: PeerTls;
    /** How its egress gateways take what its own sidecars and ingress gateways send; needs `peerTls`. */
    readonly egressTls?: TlsMode;
    /** Whether clients at the edge see `x-isthmus-outcome`; absent: they see no header of Isthmus's. */
    readonly exposeOutcome?: boolean;
    /** Whether the edge answers `/.isthmus/ready`, for load balancers; absent: no. */
    readonly exposeReady?: boolean;
    readonly edge?: EdgePolicy;
    /** Admin addresses of its control planes, `IP:PORT`, for commands that ask all IDCs. */
    readonly controlPlanes?: readonly string[];
    /** Capacity of instances here, for Groups that do not declare it; absent: unknown. */
    readonly capacity?: { readonly concurrentPerInstance: number };
  };
}

/** The limit on concurrent retries of a proxy. */
interface RetryBudget {
  /** The Group's requests a second at one proxy, at peak. */
  readonly requestsPerSecond: number;
  /** Percentage of the requests in flight. */
  readonly sharePercent?: number;
}

/** A Group's timeouts, retries and checks. Times in milliseconds; all optional, defaults in `plan/`. */
export interface GroupTraffic {
  /** Request timeout at the first proxy; 0: none. */
  readonly timeoutMs?: number;
  /** Stream idle timeout at the first proxy; 0: none. */
  readonly idleTimeoutMs?: number;
  /** Bytes of a request's body buffered for retries; 0: none. */
  readonly retryBodyBytes?: number;
  /** Timeout of a try at the first proxy; 0: none. */
  readonly perTryTimeoutMs?: number;
  /** Whether another try begins beside one that exceeds its timeout; else that is cancelled. */
  readonly hedge?: boolean;
  /** Retries after the first try, at the first proxy: 0 to 3. */
  readonly retries?: number;
  /** Methods retried although an earlier try may have been executed. */
  readonly idempotentMethods?: readonly string[];
  /** Whether all instances have sidecars of Isthmus, so that proxies speak HTTP/2 with each other. */
  readonly sidecars?: boolean;
  /** Active health checks of the instances; absent: none. */
  readonly health?: GroupHealth;
  /** The limit on requests from other IDCs; in YAML `spec.capacity`, `spill` and `class`. */
  readonly spill?: GroupSpill;
  /** The longest round trip between the IDCs, milliseconds; absent: `roundTripLimits.msDefault`. */
  readonly roundTripMs?: number;
  /** At the first proxy; absent: the connection pool's limit on retries. */
  readonly retryBudget?: RetryBudget;
}

/** One IDC of a DR group. Either all of them have a weight, or none. */
export interface DrChoice {
  readonly name: string;
  /** Its share of what the others cannot serve, relative, 0 to 1000; absent: by order. */
  readonly weight?: number;
}

/** How a Group fails back to an IDC that had no instance left. Times in milliseconds. */
export interface Failback {
  /** Time in which its share grows to 100 %. */
  readonly rampMs: number;
  /** Time for which enough instances must be good before that. */
  readonly holdMs: number;
  /**
   * `mirror`: reads are mirrored to it for the length of the ramp, then all requests return at once; absent:
   * no warm-up.
   */
  readonly warmup?: 'mirror';
}

/** Round trips between IDCs, in milliseconds. The default is twice the longest by cable on Earth. */
export const roundTripLimits = { msDefault: 800, msMin: 1, msMax: 2_000 } as const;

/** Defaults of a DrGroup's `failback`, and its limits. */
export const failbackDefaults = { rampMs: 30_000, holdMs: 10_000, msMax: 3_600_000 } as const;

/** isthmus.dev DrGroup: the IDCs that can replace each other for a set of Groups. */
export interface DrGroup {
  readonly kind: 'DrGroup';
  readonly meta: Meta;
  readonly spec: {
    /** Groups by host, or by the labels of their ServiceEntry; at least one. */
    readonly hosts: readonly string[];
    readonly selector?: Labels;
    /** In order of preference, or by weight. */
    readonly idcs: readonly DrChoice[];
    /** Most crossings of a request of these Groups: 0 to 4. */
    readonly hopLimit: number;
    readonly traffic: GroupTraffic;
    /** Absent: requests return at once. */
    readonly failback?: Failback;
  };
}
