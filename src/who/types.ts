import type { HostReason } from '../contract/who.ts';
import type { NodeRole, NodeScope } from '../model/node.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';

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

/** A proxy that was connected, and is not any more. */
export interface GoneProxy {
  readonly node: string;
  readonly scope: NodeScope;
  readonly goneForMs: number;
}

/** Two readings of a proxy, the second after the interval. */
export interface ProxyReading {
  readonly proxy: AskedProxy;
  readonly before: SeenClusters;
  readonly after: SeenClusters;
}
