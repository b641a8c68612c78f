import type { Disagreement } from '../agreement/instance.ts';
import type { Audience } from '../model/audience.ts';
import type { Evacuation } from '../model/evacuation.ts';
import type { DrGroup, Idc } from '../model/idc.ts';
import type { Labels } from '../model/meta.ts';
import type { Change, MeshObject, Ref } from '../model/object.ts';
import type { DestinationRule, ServiceEntry } from '../model/service.ts';

/** One instance of a Group, from a WorkloadEntry or an inline endpoint. */
export interface Instance {
  /** The WorkloadEntry it came from; absent for an inline endpoint. */
  readonly ref?: Ref;
  readonly address: string;
  /** Port by the name of the service's port. */
  readonly ports: Readonly<Record<string, number>>;
  /** Of a WorkloadEntry: its spec's labels and its metadata's, which win, as in Istio. */
  readonly labels: Labels;
  /** The IDC: `locality` up to the first `/`, else the control plane's own. */
  readonly idc: string;
  /** '' where none was given. */
  readonly locality: string;
  /** ≥ 1. */
  readonly weight: number;
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
  /** Further ServiceEntries of the namespace that declare the host, in the order in which they count. */
  readonly siblings?: readonly Declaration[];
  readonly rule?: DestinationRule;
  /** Who uses it; absent: everybody. */
  readonly seenBy?: Audience;
  /**
   * The host as other callers see it, by other namespaces' declarations or by less of this one's: no gateway
   * knows them.
   */
  readonly others?: readonly GroupView[];
}

/**
 * The whole mesh at one moment. Immutable: it stays as it was when the index goes on. Groups that did not
 * change are the same objects as before. The order of `groups` means nothing: sort by host where it matters.
 */
export interface MeshView {
  readonly groups: ReadonlyMap<string, GroupView>;
  readonly idcs: ReadonlyMap<string, Idc>;
  /** By name, whether in force or not: that is a matter of time. */
  readonly evacuations: ReadonlyMap<string, Evacuation>;
}

/** What a batch of changes did to the view: nothing is named that is, in content, as it was before. */
export interface ViewDelta {
  /** Hosts of Groups that appeared, changed or went. */
  readonly groups: ReadonlySet<string>;
  /** Names of IDCs that appeared, changed or went. */
  readonly idcs: ReadonlySet<string>;
  /** Names of evacuations that appeared, changed or went. */
  readonly evacuations: ReadonlySet<string>;
}

/**
 * Work done since the start. Tests assert on it, so that no event's cost grows with what it does not change.
 */
export interface IndexWork {
  /** Times that one selector was held against one set of labels. */
  labelMatches: number;
  /** Times that the view of a Group was put together. */
  groupsBuilt: number;
}

/** The incremental index: registry changes in, the view of the mesh and what changed in it out. */
export interface MeshIndex {
  /** Applies changes that belong together; says what they did to the view. Applied again, they do nothing. */
  apply(batch: readonly Change[]): ViewDelta;
  /** The mesh as of the last `apply`. */
  view(): MeshView;
  /** Whether it has this object, with just this content. */
  holds(object: MeshObject): boolean;
  /** All that it has. */
  refs(): Iterable<Ref>;
  /** What is wrong between one WorkloadEntry and what selects it; empty also where it is not there. */
  disagreementsOf(ref: Ref): readonly Disagreement[];
  /** Counters of the work done so far. */
  work(): Readonly<IndexWork>;
}
