import type { Clock } from '../base/clock.ts';
import type { MeshView } from '../index/view.ts';
import type { EvacuationStatus } from '../model/evacuation.ts';
import type { GroupPlan } from '../plan/types.ts';
import type { ReadClusters } from './read-clusters.ts';
import type { AskedProxy } from './types.ts';

/** What a question needs to know. */
export interface WhoOptions {
  /** The local IDC. */
  readonly idc: string;
  readonly clock: Clock;
  view(): MeshView;
  plansOf(host: string): readonly GroupPlan[];
  proxies(): Iterable<AskedProxy>;
  evacuations(): readonly EvacuationStatus[];
  /** Percentages of Groups in gradual failback, by `groupKey`. */
  held(): ReadonlyMap<string, number>;
  readonly read: ReadClusters;
}
