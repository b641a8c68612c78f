import type { Disagreement } from '../agreement/instance.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { ControlPlaneStatus } from '../contract/status.ts';
import type { Deletions } from '../delivery/deletion/deletions.ts';
import type { GuardLimits } from '../delivery/deletion/guard.ts';
import type { Journal } from '../events/journal.ts';
import type { Explainer } from '../explain/explain.ts';
import type { FailbackKeeper } from '../failback/keeper.ts';
import type { FailbackStore } from '../failback/store.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Drain } from '../model/drain.ts';
import type { Finding } from '../model/finding.ts';
import type { Ref } from '../model/object.ts';
import type { LoopPrevention } from '../model/trail.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import type { Source } from '../registry/source.ts';
import type { PolicyCompiler } from '../trail/compile.ts';
import type { TrustWatch } from '../trust/trust-watch.ts';
import type { DrainReader } from '../who/drain-reader.ts';
import type { NetworkReader } from '../who/gateways/network.ts';
import type { TopReader } from '../who/load/top.ts';
import type { WhoReader } from '../who/who.ts';
import type { XdsLimits } from '../xds/xds.ts';
import type { PlaneEvents } from './events/event-reader.ts';
import type { Heap } from './memory.ts';
import type { Pipeline } from './pipeline.ts';
import type { ConfigQuestion, NodeConfig } from './reading/node-config.ts';
import type { RegistryState } from './reading/registry-state.ts';
import type { StatusReader } from './status.ts';

/** Options of a control plane. */
export interface ControlPlaneOptions {
  /** The IDC that it is in and decides for. */
  readonly idc: string;
  readonly sources: readonly Source[];
  /** The ADS address. Port 0: any. */
  readonly xds: ListenAddress;
  /** False: no client status and no reflection. Default true. */
  readonly xdsTools?: boolean;
  /** Milliseconds after which a proxy's connection ends, at the latest; default: never. */
  readonly connectionAgeMsMax?: number;
  /**
   * The certificate, key and roots of the xDS port: clients need a certificate, and are who it says; no
   * tools. Absent: plaintext, and everybody is believed. Closed with the control plane.
   */
  readonly trust?: TrustWatch;
  /** Most crossings of a request, 0 to 4; a DR group may allow less. */
  readonly hopLimit: number;
  /** 'off' is the negative control of drills: requests may run in circles between IDCs. Default 'on'. */
  readonly loopPrevention?: LoopPrevention;
  /** A folder of compiled filters for the next start; default: none. */
  readonly filterStore?: string;
  /** Where failback states are stored for the next start; default: nowhere. */
  readonly failbackStore?: FailbackStore;
  /** Where events are kept; default: in memory. Closed with the control plane. */
  readonly journal?: Journal;
  /**
   * How long the first source delays the deletion of an object that nothing stands in for, in milliseconds:
   * it is told to those who compare folders; default: unknown.
   */
  readonly deletionGraceMs?: number;
  /** How long deletions wait for silent or disconnected proxies; default `guardLimits`. */
  readonly deletionLimits?: Partial<GuardLimits>;
  /** This process's heap, to shed load before it is full; default: not watched. */
  readonly heap?: Heap;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called before the sources are read, so that conditions can be queried. Its rejection ends the start. */
  readonly onListening?: (plane: ControlPlane) => Promise<void>;
}

/** What tests replace, or disable for a negative control. `isthmus serve` passes none of it. */
export interface ControlPlaneSeams {
  /**
   * Compiles trail filters; default: from wasm/assembly, in a separate process. Closed with the control
   * plane.
   */
  readonly compiler?: PolicyCompiler;
  /** Interval of comparing the sources with the index, in milliseconds; default 30,000. */
  readonly reconcileMs?: number;
  /** Limits of xDS clients; default: those of `createXdsServer`. */
  readonly xdsLimits?: XdsLimits;
  /** Nodes are not compared with their certificates; default false. */
  readonly believeNodes?: boolean;
  /** Proxies are answered before all sources have been read; default false. */
  readonly answerBeforeReady?: boolean;
}

/** Drained instances, as a control plane has them. */
interface DrainsInForce {
  readonly idc: string;
  readonly items: readonly Drain[];
  readonly others: ControlPlaneStatus['others'];
}

/** A running control plane. */
export interface ControlPlane extends StatusReader, WhoReader, TopReader, NetworkReader, Explainer {
  readonly metrics: Metrics;
  /** The ADS address with the bound port. */
  readonly xds: ListenAddress;
  /** Of objects and of what is pushed, and of proxies that share a node id or an address. */
  problems(): readonly Finding[];
  /**
   * The configuration of a connected node; undefined: it is not connected. Throws MeshError (see
   * `readNodeConfig`).
   */
  config(node: string, question: ConfigQuestion): NodeConfig | undefined;
  /** All that it decides by, at this moment. */
  registry(): RegistryState;
  /** Disagreements between a WorkloadEntry and its selectors. */
  disagreementsOf(ref: Ref): readonly Disagreement[];
  /** Confirms the deletions that sources hold; returns how many. */
  confirmDeletes(): number;
  /** What happened. */
  readonly events: PlaneEvents;
  /** Deleted instances that some proxy may still have. */
  readonly deletions: Pick<Deletions, 'of' | 'barrier'>;
  readonly evacuations: Pipeline['evacuations'] & Pick<FailbackKeeper, 'limitedShares'>;
  readonly drains: DrainReader & {
    /** All drains in force, the local IDC, and the others with their control planes. */
    list(): DrainsInForce;
  };
  /**
   * Hands proxies over to others within `overMs`, after `/readyz` reported so for `noticeMs`; `close`
   * follows.
   */
  handOver(noticeMs: number, overMs: number): Promise<void>;
  close(): Promise<void>;
}
