import type { Clock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { showAddress } from '../../model/values/listen-address.ts';
import { type AbortExpression, type Judgement, judgeExpression } from '../options/abort-on.ts';
import { countsBetween, judgeCounts, noCounts, type ProxyCounts, sumOfCounts } from './proxy-counts.ts';
import { type ReadProxy, readProxy } from './proxy-reader.ts';

/** What the Envoys of each IDC have counted since the watch began. */
export interface FleetLook {
  /** When, by the clock's `now`. */
  readonly at: number;
  readonly idcs: ReadonlyMap<string, ProxyCounts>;
}

/** Looks at Envoys again and again. */
export interface FleetWatch {
  /** Reads all of them; one that does not answer keeps what it had. */
  look(): Promise<FleetLook>;
  /**
   * Those that have not answered since a look so long ago or longer, in milliseconds, by their addresses; 0:
   * at the last look.
   */
  silentFor(ms: number): readonly string[];
}

/** The longest that an Envoy may be silent when it is asked, in milliseconds. */
export const envoyMsMax = 2_000;

/** An Envoy that does not answer for so long, in milliseconds, ends what it guards. */
const silentMsMax = 10_000;

/**
 * Throws MeshError `unavailable` where an Envoy has not answered for too long: a guard that sees nothing is
 * none.
 */
export function failOnSilence(fleet: FleetWatch): void {
  const silent = fleet.silentFor(silentMsMax);
  if (silent.length === 0) return;
  const words = `no answer for ${silentMsMax / 1_000} s of the Envoys at ${silent.join(', ')}`;
  throw new MeshError('unavailable', words);
}

/**
 * Creates a watch. What a proxy has counted before its first answer does not count, nor is lost when it
 * starts anew.
 */
export function createFleetWatch(proxies: readonly ReadProxy[], clock: Clock): FleetWatch {
  const last = new Map<ReadProxy, ProxyCounts>();
  const totals = new Map<ReadProxy, ProxyCounts>();
  /** Of those that did not answer last: when they were first asked in vain. */
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
    async look() {
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

/** What was counted between two looks. */
export function between(from: FleetLook, to: FleetLook): ReadonlyMap<string, ProxyCounts> {
  return new Map(
    [...to.idcs].map(([idc, counts]) => [idc, countsBetween(from.idcs.get(idc) ?? noCounts, counts)]),
  );
}

/**
 * Holds what was counted against conditions: for the users of each IDC by themselves. What was refused on the
 * way, which other gateways count, is a share of the requests of `home`. Unknown is only what is unknown of
 * `home`.
 */
export function judgeFleet(
  seen: ReadonlyMap<string, ProxyCounts>,
  home: string,
  abortOn: AbortExpression,
): Judgement {
  const all = [...seen.values()];
  const refused = { nobody: total(all, 'nobody'), overflow: total(all, 'overflow') };
  let result: Judgement = { is: 'unknown', words: `no Envoy of ${home} is read` };
  for (const [idc, counts] of seen) {
    const own = idc === home ? { ...counts, ...refused } : { ...counts, nobody: 0, overflow: 0 };
    const found = judgeExpression(abortOn, (condition) => judgeCounts(own, condition));
    if (found.is === 'so') return { is: 'so', words: `users of ${idc}: ${found.words}` };
    if (idc === home) result = found;
  }
  return result;
}

function total(list: readonly ProxyCounts[], key: 'nobody' | 'overflow'): number {
  return list.reduce((sum, counts) => sum + counts[key], 0);
}
