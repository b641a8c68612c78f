import { MeshError } from '../base/error.ts';
import type { GroupSpill } from './capacity.ts';
import type { GroupHealth } from './health.ts';
import type { Labels, Meta } from './meta.ts';

/**
 * The name of an IDC: 1 to 32 of `a-z 0-9 -`, first and last not `-`; it must fit a header value and a trail.
 */
export const idcNamePattern = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;

/** Reads the name of an IDC. Throws MeshError `invalid`. */
export function readIdcName(text: string): string {
  if (idcNamePattern.test(text)) return text;
  throw new MeshError('invalid', `'${text}' is no IDC name: a-z, 0-9 and -, at most 32, not - at an end.`);
}

/**
 * An ingress gateway: where clients enter (`edgePort`) and where other IDCs' egress gateways enter
 * (`peerPort`).
 */
interface IngressGateway {
  readonly address: string;
  readonly edgePort: number;
  readonly peerPort: number;
}

/**
 * An egress gateway: where own sidecars (`sidecarPort`) and own ingress gateways (`ingressPort`) leave the
 * IDC.
 */
export interface EgressGateway {
  readonly address: string;
  readonly sidecarPort: number;
  readonly ingressPort: number;
}

/**
 * What an IDC's edge takes from clients, and whom it believes. All optional; the defaults are `edgeDefaults`.
 */
export interface EdgePolicy {
  /**
   * HTTP proxies in front, whose X-Forwarded-* count; absent: none, and what clients send of these is taken
   * off.
   */
  readonly trustedProxies?: TrustedProxies;
  /** Whether connections begin with a PROXY protocol header (v1 or v2); absent: they do not. */
  readonly proxyProtocol?: 'required' | 'optional';
  /** What becomes of `%2F` and `%5C` in a path. */
  readonly escapedSlashes?: EscapedSlashes;
  /** Whether `//` in a path becomes `/`. */
  readonly mergeSlashes?: boolean;
  /** Whether dot segments are resolved, and escapes of unreserved characters undone (RFC 3986, 6.2.2). */
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
  /**
   * How many in a row, 0 to 10, each of which appends to X-Forwarded-For. 0: only what PROXY protocol says
   * counts.
   */
  readonly hops: number;
  /** Addresses that the last of them connects from, as prefixes; absent: whoever connects is one. */
  readonly from?: readonly string[];
}

/** `redirect`: to the path with the slashes unescaped, by 307. */
export const escapedSlashes = ['keep', 'reject', 'unescape', 'redirect'] as const;
export type EscapedSlashes = (typeof escapedSlashes)[number];

/** `drop`: the header alone. */
export const underscoreActions = ['allow', 'reject', 'drop'] as const;
export type Underscores = (typeof underscoreActions)[number];

/** What holds where an Idc declares nothing (docs/decisions/072-what-the-edge-passes.md). */
export const edgeDefaults = {
  escapedSlashes: 'keep',
  mergeSlashes: false,
  normalizePath: false,
  underscores: 'allow',
  http10: true,
  maxHeadersKiB: 60,
  maxHeaders: 200,
} as const satisfies EdgePolicy;

/** The most that an Idc may allow. The proxies behind the edge take twice as much, and what proxies add. */
export const edgeLimits = { hopsMax: 10, headersKiBMax: 256, headersMax: 500, prefixesMax: 100 } as const;

/** isthmus.dev Idc: one failure domain and its gateways. */
export interface Idc {
  readonly kind: 'Idc';
  readonly meta: Meta;
  readonly spec: {
    readonly ingress: readonly IngressGateway[];
    readonly egress: readonly EgressGateway[];
    readonly network?: string;
    /** Whether clients at the edge see `x-isthmus-outcome`; absent: they see no header of Isthmus's own. */
    readonly exposeOutcome?: boolean;
    /** Whether the edge answers `/.isthmus/ready`, for those who balance by health; absent: it does not. */
    readonly exposeReady?: boolean;
    readonly edge?: EdgePolicy;
    /** What instances here bear, of Groups that do not say it; absent: nobody knows. */
    readonly capacity?: { readonly concurrentPerInstance: number };
  };
}

/** What bounds the tries after the first that a proxy has under way at once. */
interface RetryBudget {
  /** Requests a second of the Group at one proxy, when it is busy. */
  readonly requestsPerSecond: number;
  /** Of the requests that are under way, percent. */
  readonly sharePercent?: number;
}

/**
 * How requests to a Group are timed, retried and checked. Times in milliseconds; all optional, defaults in
 * `plan/`.
 */
export interface GroupTraffic {
  /** Whole request, at the first proxy; 0 means none. */
  readonly timeoutMs?: number;
  /**
   * A stream without a byte in either direction, at the first proxy; 0 means that it may be quiet for ever.
   */
  readonly idleTimeoutMs?: number;
  /** Up to this many bytes a request's body is kept, so that it can be sent again; 0: none is. */
  readonly retryBodyBytes?: number;
  /** One try, at the first proxy; 0 means none. */
  readonly perTryTimeoutMs?: number;
  /** Whether another try begins beside one that outlasts its time; else that is given up. */
  readonly hedge?: boolean;
  /** Retries after the first try, at the first proxy: 0 to 3. */
  readonly retries?: number;
  /** Methods that are sent again though an earlier try may have been executed. */
  readonly idempotentMethods?: readonly string[];
  /**
   * Whether all instances stand behind sidecars of Isthmus, so that their proxies speak HTTP/2 with each
   * other.
   */
  readonly sidecars?: boolean;
  /** Active health checks of the instances; absent: none. */
  readonly health?: GroupHealth;
  /** What bounds the requests that come from other IDCs; in YAML `spec.capacity`, `spill` and `class`. */
  readonly spill?: GroupSpill;
  /** The longest round trip between the IDCs, milliseconds; absent: `roundTripLimits.msDefault`. */
  readonly roundTripMs?: number;
  /** At the first proxy; absent: the connection pool's number of retries. */
  readonly retryBudget?: RetryBudget;
}

/** One IDC of a DR group. Either all of a DR group have a weight, or none. */
export interface DrChoice {
  readonly name: string;
  /** Its share of what the others cannot serve themselves, relative, 0 to 1000; absent: the order decides. */
  readonly weight?: number;
}

/** How a Group comes home to an IDC that had nobody left. Times in milliseconds. */
export interface Failback {
  /** Over which its share grows to all. */
  readonly rampMs: number;
  /** For which enough instances must be good before that begins. */
  readonly holdMs: number;
  /**
   * `mirror`: reads are sent home as well for the length of the ramp, and then all come home at once; absent:
   * no warm-up.
   */
  readonly warmup?: 'mirror';
}

/**
 * Round trips between IDCs, in milliseconds. The default is twice what any two places on Earth have by cable.
 */
export const roundTripLimits = { msDefault: 800, msMin: 1, msMax: 2_000 } as const;

/** What holds of a DrGroup's `failback` that leaves it out, and the most that one may ask for. */
export const failbackDefaults = { rampMs: 30_000, holdMs: 10_000, msMax: 3_600_000 } as const;

/** isthmus.dev DrGroup: the IDCs that stand in for each other for a set of Groups. */
export interface DrGroup {
  readonly kind: 'DrGroup';
  readonly meta: Meta;
  readonly spec: {
    /** Groups by host, or by the labels of their ServiceEntry; at least one of the two. */
    readonly hosts: readonly string[];
    readonly selector?: Labels;
    /** In order of preference, or by weight. */
    readonly idcs: readonly DrChoice[];
    /** Most crossings a request of these Groups may make: 0 to 4. */
    readonly hopLimit: number;
    readonly traffic: GroupTraffic;
    /** Absent: requests come home at once. */
    readonly failback?: Failback;
  };
}
