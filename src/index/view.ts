import type { Disagreement } from '../agreement/instance.ts';
import type { Audience } from '../model/audience.ts';
import type { Drain } from '../model/drain.ts';
import type { Evacuation } from '../model/evacuation.ts';
import type { DrGroup, Idc } from '../model/idc.ts';
import type { Labels } from '../model/meta.ts';
import type { Change, MeshObject, Ref } from '../model/object.ts';
import type { DestinationRule, ServiceEntry } from '../model/service.ts';

/** One instance of a Group, from a WorkloadEntry or an inline endpoint. */
export interface Instance {
  /** Its WorkloadEntry; absent for an inline endpoint. */
  readonly ref?: Ref;
  readonly address: string;
  /** Ports by the service's port names. */
  readonly ports: Readonly<Record<string, number>>;
  /** For a WorkloadEntry: its spec's labels and its metadata's, which win, as in Istio. */
  readonly labels: Labels;
  /** `locality` up to the first `/`, else the local IDC. */
  readonly idc: string;
  /** '' if not given. */
  readonly locality: string;
  /** ≥ 1. */
  readonly weight: number;
  /** By an operator: it gets no new requests. */
  readonly drained?: true;
}

/** One ServiceEntry's part of a Group. */
export interface Declaration {
  readonly entry: ServiceEntry;
  /** WorkloadEntries by name, inline endpoints as written: equal content gives equal messages. */
  readonly instances: readonly Instance[];
  readonly drGroup?: DrGroup;
}

/** One Group: a host with everything that decides how it is reached. Immutable. */
export interface GroupView extends Declaration {
  readonly host: string;
  /** Further ServiceEntries of the namespace that declare the host, in order of precedence. */
  readonly siblings?: readonly Declaration[];
  readonly rule?: DestinationRule;
  /** Its callers; absent: all. */
  readonly seenBy?: Audience;
  /**
   * The host as other callers see it, by other namespaces' declarations or by fewer of this one's: unknown to
   * gateways.
   */
  readonly others?: readonly GroupView[];
}

/**
 * The whole mesh at one moment. Immutable, also when the index changes. Unchanged Groups are the same objects
 * as before. The order of `groups` has no meaning: sort by host if it matters.
 */
export interface MeshView {
  readonly groups: ReadonlyMap<string, GroupView>;
  readonly idcs: ReadonlyMap<string, Idc>;
  /** By name, whether in force or not, which depends on time. */
  readonly evacuations: ReadonlyMap<string, Evacuation>;
  /** Drains in force by `drainKey`, also of instances that are not declared. */
  readonly drains: ReadonlyMap<string, Drain>;
}

/** The effect of a batch on the view: only real changes of content. */
export interface ViewDelta {
  /** Hosts of Groups added, changed or removed. */
  readonly groups: ReadonlySet<string>;
  /** Names of IDCs added, changed or removed. */
  readonly idcs: ReadonlySet<string>;
  /** Names of evacuations added, changed or removed. */
  readonly evacuations: ReadonlySet<string>;
}

/** Work counters. Tests assert on them that an event's cost does not grow with unaffected objects. */
export interface IndexWork {
  /** Comparisons of a selector with a set of labels. */
  labelMatches: number;
  /** Views of Groups built. */
  groupsBuilt: number;
}

/** The incremental index: registry changes in, the view of the mesh and its changes out. */
export interface MeshIndex {
  /** Applies changes that belong together; returns their effect on the view. Idempotent. */
  apply(batch: readonly Change[]): ViewDelta;
  /** The mesh as of the last `apply`. */
  view(): MeshView;
  /** Whether it has this object, with exactly this content. */
  hasExactly(object: MeshObject): boolean;
  /**
   * What is kept of an object, to be compared with what is later; undefined: there is none. Of a
   * WorkloadEntry it is the instance.
   */
  contentOf(ref: Ref): unknown;
  /** The instance of a WorkloadEntry, whether a selector selects it or not; undefined: there is none. */
  instanceOf(ref: Ref): Instance | undefined;
  /** All objects. */
  refs(): Iterable<Ref>;
  /** Disagreements between a WorkloadEntry and its selectors; empty also if it does not exist. */
  disagreementsOf(ref: Ref): readonly Disagreement[];
  /** The work counters. */
  work(): Readonly<IndexWork>;
}
