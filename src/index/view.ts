import type { DrGroup, Idc } from '../model/idc.ts';
import type { Labels, Ref } from '../model/object.ts';
import type { DestinationRule, ServiceEntry } from '../model/service.ts';

/** One instance of a Group, from a WorkloadEntry or an inline endpoint. */
export interface Instance {
  /** The WorkloadEntry it came from; absent for an inline endpoint. */
  readonly ref?: Ref;
  readonly address: string;
  /** Port by the name of the service's port. */
  readonly ports: Readonly<Record<string, number>>;
  readonly labels: Labels;
  /** The IDC: `locality` up to the first `/`, else the control plane's own. */
  readonly idc: string;
  readonly locality: string;
  /** ≥ 1. */
  readonly weight: number;
}

/** One Group: a host with everything that decides how it is reached. Immutable. */
export interface GroupView {
  readonly host: string;
  readonly entry: ServiceEntry;
  /** Sorted by origin name, so that equal content gives equal messages. */
  readonly instances: readonly Instance[];
  readonly rule?: DestinationRule;
  readonly drGroup?: DrGroup;
}

/** The whole mesh at one moment. Immutable; groups that did not change are the same objects as before. */
export interface MeshView {
  readonly groups: ReadonlyMap<string, GroupView>;
  readonly idcs: ReadonlyMap<string, Idc>;
}

/** What a batch of changes did to the view. */
export interface ViewDelta {
  /** Hosts of Groups that appeared, changed or went. */
  readonly groups: ReadonlySet<string>;
  /** Names of IDCs that appeared, changed or went. */
  readonly idcs: ReadonlySet<string>;
}
