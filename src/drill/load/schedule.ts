import { seededRandom } from '../../base/random.ts';

/**
 * Arrival times of an open-loop load in milliseconds from its start, ascending: a Poisson process given that
 * exactly `ratePerSecond * durationMs / 1000` requests arrive. Poisson, because independent clients arrive
 * so, in bursts, and evenly spaced arrivals would flatter the tail; an exact count, because the drill
 * reconciles to the request. The seed replays it.
 */
export function arrivals(ratePerSecond: number, durationMs: number, seed: number): Float64Array {
  const random = seededRandom(seed);
  const count = Math.round((ratePerSecond * durationMs) / 1000);
  // Given their count, the arrivals of a Poisson process are independent and uniform.
  return Float64Array.from({ length: count }, () => random() * durationMs).sort();
}
