import { figuresOf, type PhaseFigures } from '../../analysis.ts';
import { millis, percent, type Row } from '../../row.ts';
import { bounds } from './bounds.ts';
import { otherIdc } from './kinds.ts';
import type { OutageMeasurement } from './measurement.ts';

/** Share of each load that its own IDC serves while nothing is broken, the least of both steady phases. */
export function homeRow(m: OutageMeasurement): Row {
  const steady = figuresOf(m).filter((f) => f.phase.startsWith('steady') && f.stream !== '');
  // Clients of the edge, who stand in no IDC, connect to the one that is lost later.
  const homeOf = (stream: string) => m.streams.find((each) => each.stream === stream)?.idc ?? m.lostIdc;
  let least = { share: steady.length === 0 ? 0 : 1, what: 'every load' };
  for (const phase of ['steady', 'steady again']) {
    if (!steady.some((f) => f.phase === phase)) least = { share: 0, what: `no load in ${phase}` };
  }
  for (const f of steady) {
    const share = f.shares[homeOf(f.stream)] ?? 0;
    if (share < least.share) least = { share, what: `${f.stream} in ${f.phase}` };
  }
  return {
    id: 'home',
    claim: 'Share served at home in both steady phases, the least of any load',
    bound: `≥ ${100 * bounds.homeShare} %`,
    measured: `${percent(least.share)} (${least.what})`,
    ok: least.share >= bounds.homeShare,
  };
}

/**
 * When a whole site is lost, callers of the other one must not notice: none of their requests fails, and their p99
 * stays within twice the steady one. Or within 50 ms: half of the processes of a machine with few processors die
 * and start again on the same processors that serve these requests, which alone costs some milliseconds.
 */
export function unawareRow(m: OutageMeasurement): Row {
  const stream = `caller-${otherIdc}`;
  const figures = figuresOf(m).filter((f) => f.stream === stream);
  const p99 = (phase: PhaseFigures['phase']) =>
    figures.find((f) => f.phase === phase)?.latency.p99 ?? Number.NaN;
  const [steady, outage] = [p99('steady'), p99('outage')];
  const allowed = Math.max(bounds.unawareFactor * steady, bounds.unawareP99Ms);
  const failed = figures.reduce((sum, f) => sum + f.failed + f.lostInFlight, 0);
  return {
    id: 'unaware',
    claim: `Callers in ${otherIdc} did not notice: their p99 in the outage, and what failed`,
    bound: `≤ ${bounds.unawareFactor} × steady or ${bounds.unawareP99Ms} ms, 0 failed`,
    measured: `${millis(outage)} after ${millis(steady)}, ${failed} failed`,
    ok: outage <= allowed && failed === 0,
  };
}
