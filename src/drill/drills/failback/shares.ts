import { dueIn, hostOfRequest, latenciesOf } from '../../ledger.ts';
import type { Measurement } from '../../measurement.ts';
import { type Sample, succeeded } from '../../sample.ts';
import { latencyOf } from '../../stats.ts';

interface Span {
  readonly from: number;
  readonly to: number;
}

/** The requests for a Group that were due in a span. */
export function requestsOf(m: Measurement, group: string, span: Span): Sample[] {
  return dueIn(m.samples, span).filter((sample) => hostOfRequest(sample.id, m).startsWith(`${group}.`));
}

/** The largest median of any second of a span, in milliseconds. */
export function worstSecond(m: Measurement, group: string, { from, to }: Span): number {
  const medians: number[] = [];
  for (let at = from; at + 1000 <= to; at += 1000)
    medians.push(latencyOf(latenciesOf(requestsOf(m, group, { from: at, to: at + 1000 }))).p50);
  return Math.max(...medians.filter((median) => !Number.isNaN(median)));
}

/** The share of those that were served that an IDC served, 0 to 1; NaN when nothing was. */
export function shareAt(m: Measurement, group: string, idc: string, span: Span): number {
  const served = requestsOf(m, group, span).filter(succeeded);
  return served.filter((sample) => sample.idc === idc).length / served.length;
}

/** How long a window is in which most requests are on one side or the other, in milliseconds. */
const windowMs = 1000;

/** How often most of a Group's requests changed sides between an IDC and the others. */
export function switchesOf(m: Measurement, group: string, idc: string, { from, to }: Span): number {
  let [count, side] = [0, undefined as boolean | undefined];
  for (let at = from; at + windowMs <= to; at += windowMs) {
    const share = shareAt(m, group, idc, { from: at, to: at + windowMs });
    if (Number.isNaN(share)) continue;
    const isHome = share >= 0.5;
    if (side !== undefined && isHome !== side) count += 1;
    side = isHome;
  }
  return count;
}
