import type { Clock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { showAddress } from '../../model/values/listen-address.ts';
import { type AbortExpression, type Judgement, judgeExpression } from '../options/abort-on.ts';
import { countsBetween, judgeCounts, noCounts, type ProxyCounts, sumOfCounts } from './proxy-counts.ts';
import { type ReadProxy, readProxy } from './proxy-reader.ts';

/** The counts of each IDC's Envoys since the watch began. */
export interface FleetReading {
  /** When, by the clock's `now`. */
  readonly at: number;
  readonly idcs: ReadonlyMap<string, ProxyCounts>;
}

/** Reads Envoys repeatedly. */
export interface FleetWatch {
  /** Reads all; one that does not answer keeps its last counts. */
  read(): Promise<FleetReading>;
  /** Addresses of those that have not answered for this long, in milliseconds; 0: at the last reading. */
  silentFor(ms: number): readonly string[];
}

/** Timeout of an Envoy's answer, in milliseconds. */
export const envoyMsMax = 2_000;

/** An Envoy silent for this long, in milliseconds, ends the guarded operation. */
const silentMsMax = 10_000;

/**
 * Throws MeshError `unavailable` if an Envoy has been silent for too long: a guard without readings does not
 * guard.
 */
export function failOnSilence(fleet: FleetWatch): void {
  const silent = fleet.silentFor(silentMsMax);
  if (silent.length === 0) return;
  const words = `no answer for ${silentMsMax / 1_000} s of the Envoys at ${silent.join(', ')}`;
  throw new MeshError('unavailable', words);
}

/** Creates a watch. Counts before the first answer are excluded, and a restart of a proxy loses none. */
export function createFleetWatch(proxies: readonly ReadProxy[], clock: Clock): FleetWatch {
  const last = new Map<ReadProxy, ProxyCounts>();
  const totals = new Map<ReadProxy, ProxyCounts>();
  /** Proxies that did not answer last: when they were first asked without answer. */
  const silentSince = new Map<ReadProxy, number>();

  async function read(proxy: ReadProxy): Promise<void> {
    const askedAt = clock.now();
    const counts = await readProxy(proxy.admin, envoyMsMax).catch(() => undefined);
    if (counts === undefined) {
      silentSince.set(proxy, silentSince.get(proxy) ?? askedAt);
      return;
    }
    silentSince.delete(proxy);
    const before = last.get(proxy);
    last.set(proxy, counts);
    if (before === undefined) return;
    totals.set(proxy, sumOfCounts([totals.get(proxy) ?? noCounts, countsBetween(before, counts)]));
  }

  return {
    async read() {
      await Promise.all(proxies.map(read));
      const idcs = [...new Set(proxies.map(({ idc }) => idc))];
      const of = (idc: string) =>
        sumOfCounts(proxies.filter((one) => one.idc === idc).map((one) => totals.get(one) ?? noCounts));
      return { at: clock.now(), idcs: new Map(idcs.map((idc) => [idc, of(idc)])) };
    },
    silentFor: (ms) =>
      proxies
        .filter((proxy) => clock.now() - (silentSince.get(proxy) ?? Number.POSITIVE_INFINITY) >= ms)
        .map(({ admin }) => showAddress(admin)),
  };
}

/** Counts between two readings. */
export function countsBetweenReadings(
  from: FleetReading,
  to: FleetReading,
): ReadonlyMap<string, ProxyCounts> {
  return new Map(
    [...to.idcs].map(([idc, counts]) => [idc, countsBetween(from.idcs.get(idc) ?? noCounts, counts)]),
  );
}

/**
 * Judges counts by conditions, for the users of each IDC separately. Refusals at other gateways count
 * relative to the requests of `home`. Only `home` can be unknown.
 */
export function judgeFleet(
  seen: ReadonlyMap<string, ProxyCounts>,
  home: string,
  abortOn: AbortExpression,
): Judgement {
  const all = [...seen.values()];
  const refused = { nobody: total(all, 'nobody'), overflow: total(all, 'overflow') };
  let result: Judgement = { outcome: 'unknown', words: `no Envoy of ${home} is read` };
  for (const [idc, counts] of seen) {
    const own = idc === home ? { ...counts, ...refused } : { ...counts, nobody: 0, overflow: 0 };
    const found = judgeExpression(abortOn, (condition) => judgeCounts(own, condition));
    if (found.outcome === 'so') return { outcome: 'so', words: `users of ${idc}: ${found.words}` };
    if (idc === home) result = found;
  }
  return result;
}

function total(list: readonly ProxyCounts[], key: 'nobody' | 'overflow'): number {
  return list.reduce((sum, counts) => sum + counts[key], 0);
}
