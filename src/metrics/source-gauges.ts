import type { Clock } from '../base/clock.ts';
import type { Metrics, PeerGauge } from './metrics.ts';

/** The part of a source shown as gauges. */
interface GaugedSource {
  readonly name: string;
  readonly facets: {
    readonly lastGood: { status(): { readonly from: string; readonly knownGoodAt?: number } } | 'none';
    readonly registrations:
      | { counts(): Readonly<Record<string, number>>; remembered(): Readonly<Record<string, number>> }
      | 'none';
    readonly peers: { statuses(): readonly PeerGauge[] } | 'none';
  };
}

/** Gauges of sources, registrations, and peer control planes. */
export function gaugeSources(metrics: Metrics, sources: readonly GaugedSource[], clock: Clock): void {
  for (const { name, facets } of sources) {
    const { lastGood, registrations, peers } = facets;
    if (lastGood !== 'none') {
      metrics.fromSnapshot.readFrom(name, () => (lastGood.status().from === 'source' ? 0 : 1));
      metrics.snapshotAge.readFrom(name, () => {
        const { knownGoodAt } = lastGood.status();
        return knownGoodAt === undefined ? Number.NaN : (clock.wall() - knownGoodAt) / 1000;
      });
    }
    metrics.repaired.inc({ source: name }, 0);
    if (registrations !== 'none') {
      metrics.registrations.readFrom(registrations.counts);
      metrics.remembered.readFrom(registrations.remembered);
    }
    if (peers !== 'none')
      metrics.peers.readFrom(() => peers.statuses().filter(({ state }) => state !== 'stranger'));
  }
}
