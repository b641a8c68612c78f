import type { Clock } from '../base/clock.ts';
import type { Metrics, PeerGauge } from './metrics.ts';

/** What of a source is shown as gauges. */
export interface GaugedSource {
  readonly name: string;
  readonly lastGood?: () => { readonly from: string; readonly knownGoodAt?: number };
  readonly counts?: () => Readonly<Record<string, number>>;
  readonly remembered?: () => Readonly<Record<string, number>>;
  readonly peers?: () => readonly PeerGauge[];
}

/** Shows where the objects of sources come from, what registered, and the control planes beside. */
export function gaugeSources(metrics: Metrics, sources: readonly GaugedSource[], clock: Clock): void {
  for (const { name, lastGood, counts, remembered, peers } of sources) {
    if (lastGood) {
      metrics.fromSnapshot.of(name, () => (lastGood().from === 'source' ? 0 : 1));
      metrics.snapshotAge.of(name, () => {
        const { knownGoodAt } = lastGood();
        return knownGoodAt === undefined ? Number.NaN : (clock.wall() - knownGoodAt) / 1000;
      });
    }
    metrics.repaired.inc({ source: name }, 0);
    if (counts) metrics.registrations.ask(counts);
    if (remembered) metrics.remembered.ask(remembered);
    if (peers) metrics.peers.ask(() => peers().filter(({ state }) => state !== 'stranger'));
  }
}
