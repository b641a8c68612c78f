import type { Disagreement } from '../agreement/instance.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Deletions } from '../delivery/deletion/deletions.ts';
import type { GuardLimits } from '../delivery/deletion/guard.ts';
import type { FailbackKeeper } from '../failback/keeper.ts';
import type { FailbackStore } from '../failback/store.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Finding } from '../model/finding.ts';
import type { Ref } from '../model/object.ts';
import type { LoopPrevention } from '../model/trail.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import type { Source } from '../registry/source.ts';
import type { PolicyCompiler } from '../trail/compile.ts';
import type { XdsLimits } from '../xds/xds.ts';
import type { Heap } from './memory.ts';
import type { Pipeline } from './pipeline.ts';
import type { StatusReader } from './status.ts';

/** What a control plane is made of. */
export interface ControlPlaneOptions {
  /** The IDC that it stands in and decides for. */
  readonly idc: string;
  readonly sources: readonly Source[];
  /** Where ADS is served. Port 0: any. */
  readonly xds: ListenAddress;
  /** False: no client status and no reflection there. Default true. */
  readonly xdsTools?: boolean;
  /** Most crossings that any request may make, 0 to 4; a DR group may allow less. */
  readonly hopLimit: number;
  /** 'off' is the negative control of drills: requests may run in circles between IDCs. 'on' by default. */
  readonly loopPrevention?: LoopPrevention;
  /** A folder where compiled filters are kept for the next start; by default nowhere. */
  readonly filterStore?: string;
  /** Where the next control plane finds which Groups are on their way home; by default nowhere. */
  readonly failbackStore?: FailbackStore;
  /** How long deletions wait for proxies that are silent or away; default `guardLimits`. */
  readonly deletionLimits?: Partial<GuardLimits>;
  /** The heap of this process, to shed load before it is full; by default it is not looked at. */
  readonly heap?: Heap;
  readonly clock: Clock;
  readonly logger: Logger;
  /**
   * Called before the sources are read, so that what is waited for can be asked. Its rejection ends the
   * start.
   */
  readonly onListening?: (plane: ControlPlane) => Promise<void>;
}

/** What tests replace, or switch off to see that they fail without it. `isthmus serve` gives none of it. */
export interface ControlPlaneSeams {
  /**
   * Compiles trail filters; default: from wasm/assembly, in a process of its own. Closed with the control
   * plane.
   */
  readonly compiler?: PolicyCompiler;
  /** How often what the sources hold is compared with the index, in milliseconds; default 30,000. */
  readonly reconcileMs?: number;
  /** What xDS clients may do; default: the limits of `createXdsServer`. */
  readonly xdsLimits?: XdsLimits;
  /** Proxies are answered before all sources have been read; default false. */
  readonly answerBeforeReady?: boolean;
}

/** A running control plane. */
export interface ControlPlane extends StatusReader {
  readonly metrics: Metrics;
  /** Where ADS is served; with the port that was bound. */
  readonly xds: ListenAddress;
  problems(): readonly Finding[];
  /** What is wrong between a WorkloadEntry and what selects it. */
  disagreementsOf(ref: Ref): readonly Disagreement[];
  /** Lets go the deletions that the sources' shrink guards hold; how many. */
  confirmDeletes(): number;
  /** Instances that went and that some proxy may still have. */
  readonly deletions: Pick<Deletions, 'of' | 'barrier'>;
  readonly evacuations: Pipeline['evacuations'] & Pick<FailbackKeeper, 'held'>;
  /**
   * Hands the proxies over to others within `overMs`, after `/readyz` said so for `noticeMs`; `close` is to
   * follow.
   */
  handOver(noticeMs: number, overMs: number): Promise<void>;
  close(): Promise<void>;
}
