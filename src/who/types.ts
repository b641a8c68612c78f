import type { NodeRole, NodeScope } from '../model/node.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';

/** Why a proxy does not send requests to a host of a cluster, or only as a last resort. */
export type HostReason =
  /** Its active health check fails; or times out. */
  | 'check-failed'
  | 'check-timeout'
  /** It has not been checked yet. */
  | 'not-checked'
  /** It answered with `x-envoy-immediate-health-check-fail`. */
  | 'told-unhealthy'
  /** Outlier detection has ejected it. */
  | 'ejected'
  /** Its endpoint says so: it is unhealthy or draining; or it is a last resort, as its IDC is evacuated. */
  | 'declared-unhealthy'
  | 'last-resort'
  /** Its health check says that it is degraded. */
  | 'degraded'
  /** It has been removed, and is still in use. */
  | 'being-removed';

/** A host of a cluster as one proxy has it. */
export interface SeenHost {
  /** `IP:PORT`, or `unix://PATH`. */
  readonly address: string;
  /** The name that was looked up for it; absent: none. */
  readonly hostname?: string;
  readonly priority: number;
  readonly weight: number;
  /** Of its locality; '' if not given. */
  readonly idc: string;
  readonly zone: string;
  /** Whether requests may go there; `degraded`: when no other can serve. */
  readonly health: 'healthy' | 'degraded' | 'unhealthy';
  readonly why: readonly HostReason[];
  /** Requests and connections sent there since it is known; and requests in flight. */
  readonly requests: number;
  readonly active: number;
}

/** Hosts by name of cluster. */
export type SeenClusters = ReadonlyMap<string, readonly SeenHost[]>;

/** A connected proxy. */
export interface AskedProxy {
  readonly node: string;
  readonly role: NodeRole;
  /** `address:port` of its stream's peer. */
  readonly peer: string;
  readonly scope: NodeScope;
  /** Where it shows its clusters; absent: nowhere. */
  readonly clusters?: ListenAddress;
}

/** Two readings of a proxy, the second after the interval. */
export interface ProxyReading {
  readonly proxy: AskedProxy;
  readonly before: SeenClusters;
  readonly after: SeenClusters;
}

/** A host of a cluster as all proxies that were read have it. */
export interface HostReport {
  readonly address: string;
  /** NAMESPACE/NAME of its WorkloadEntry; absent: an inline endpoint, or a gateway. */
  readonly name?: string;
  readonly zone?: string;
  /** 0 first; within its IDC. */
  readonly priority: number;
  readonly weight: number;
  /** `mixed`: healthy at some proxies; `unknown`: no proxy that was read has it. */
  readonly health: 'healthy' | 'degraded' | 'unhealthy' | 'mixed' | 'unknown';
  readonly why: readonly {
    readonly reason: HostReason;
    /** Node ids of the proxies that say so. */
    readonly at: readonly string[];
  }[];
  /** Proxies that have it, and those that may send it requests. */
  readonly knownTo: number;
  readonly usableAt: number;
  /** Sent in the interval, and the part of all that this IDC sent, 0 to 1; absent: none were sent. */
  readonly requests: number;
  readonly share?: number;
  /** In flight at the second reading. */
  readonly active: number;
}

/** Another IDC that may serve the Group. */
export interface NextIdc {
  readonly idc: string;
  /** 1 first: after the instances of this IDC. */
  readonly priority: number;
  /** Of IDCs of one priority; absent: alone. */
  readonly weight?: number;
  /**
   * Whether the egress gateways that were read may send requests there; `unknown`: none was read. Without
   * health checks through its gateways, `yes` means that a gateway of it is not known to be dead.
   */
  readonly usable: 'yes' | 'no' | 'unknown';
  readonly requests: number;
  readonly share?: number;
  readonly gateways: readonly HostReport[];
}

/** Who serves. `unknown`: the proxies that could be read do not tell. */
export type ServedBy = 'here' | 'away' | 'nobody' | 'unknown';

/** One port of a Group, as an IDC sees it. */
export interface GroupReport {
  readonly namespace: string;
  readonly port: number;
  readonly protocol: 'http1' | 'http2' | 'tcp';
  readonly served: ServedBy;
  /** The IDC that requests of this one go to first; absent: nobody serves, or it is unknown. */
  readonly by?: string;
  /** The IDC that takes over when that one fails; absent: none that is known to be able to. */
  readonly takesOver?: string;
  /** Sent by the proxies that were read, in the interval; and the part of it that left the IDC, 0 to 1. */
  readonly requests: number;
  readonly awayShare?: number;
  readonly instances: readonly HostReport[];
  /** Egress gateways of this IDC; empty: the Group does not leave it. */
  readonly exits: readonly HostReport[];
  /** Other IDCs, the first to take over first. */
  readonly next: readonly NextIdc[];
  /** Percentage of its requests that the IDC keeps; absent: all while half of its instances can serve. */
  readonly keepsPercent?: number;
  /** Names of evacuations that make it leave. */
  readonly evacuations: readonly string[];
  /** Percentage that it has taken back in a gradual failback; absent: none is under way. */
  readonly returningPercent?: number;
  /** Concurrent requests that each ingress gateway takes from other IDCs; absent: no limit. */
  readonly spillLimit?: number;
  /** Node ids of the proxies that were read and have the Group. */
  readonly readAt: readonly string[];
}

/** Who serves a host, as one control plane's proxies see it. */
export interface WhoReport {
  /** The declared host: for a host covered by a pattern, the pattern. */
  readonly host: string;
  readonly idc: string;
  /** When the second readings began, RFC 3339. */
  readonly at: string;
  /** Between the readings, in milliseconds. */
  readonly intervalMs: number;
  readonly groups: readonly GroupReport[];
  readonly proxies: {
    /** Connected ones that have the host; those asked, at most; those that answered. */
    readonly connected: number;
    readonly asked: number;
    readonly read: number;
    /** Those that could not be read, and why. */
    readonly silent: readonly { readonly node: string; readonly role: NodeRole; readonly why: string }[];
  };
  /** Admin addresses of other IDCs' control planes, as their Idcs declare them. */
  readonly others: readonly { readonly idc: string; readonly controlPlanes: readonly string[] }[];
}
