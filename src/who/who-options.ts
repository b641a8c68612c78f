import type { Clock } from '../base/clock.ts';
import type { PeerGateway } from '../contract/network.ts';
import type { MeshView } from '../index/view.ts';
import type { EvacuationStatus } from '../model/evacuation.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import type { GroupPlan } from '../plan/types.ts';
import type { ReadClusters, ReadStats } from './read-clusters.ts';
import type { AskedProxy, GoneProxy } from './types.ts';

/** What a question needs to know. */
export interface WhoOptions {
  /** The local IDC. */
  readonly idc: string;
  readonly clock: Clock;
  view(): MeshView;
  plansOf(host: string): readonly GroupPlan[];
  proxies(): Iterable<AskedProxy>;
  /** Those that were connected in the last hour. */
  gone(): Iterable<GoneProxy>;
  /** Connects to a gateway and waits for an answer, for a stated time. */
  probe(at: ListenAddress): Promise<PeerGateway['probe']>;
  evacuations(): readonly EvacuationStatus[];
  /** Percentages of Groups in gradual failback, by `groupKey`. */
  held(): ReadonlyMap<string, number>;
  readonly read: ReadClusters;
  readonly readStats: ReadStats;
}
