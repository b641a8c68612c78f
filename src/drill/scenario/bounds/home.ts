import { z } from 'zod';
import { figuresOf, phaseNameAt } from '../../judge/analysis.ts';
import { millis, percent, type Row, timedBy } from '../../judge/row.ts';
import { durationField, idcNameField, msOf, parseShare, percentage } from '../document/fields.ts';
import type { ScenarioMeasurement } from '../measurement.ts';
import { bound } from './bound.ts';

/** The share of each load that its own IDC serves while nothing is broken: the least of all steady phases. */
export const homeBound = bound(
  percentage.meta({
    description: 'The least share of each load that its own IDC must serve in each steady phase.',
  }),
  (m, least) => [homeRow(m, parseShare(least))],
);

function homeRow(m: ScenarioMeasurement, bound: number): Row {
  const steady = figuresOf(m).filter((f) => f.phase.startsWith('steady') && f.stream !== '');
  // Clients of the edge belong to no IDC. They connect to the one that is lost later.
  const homeOf = (stream: string) => m.streams.find((each) => each.stream === stream)?.idc ?? m.lostIdc;
  let least = { share: steady.length === 0 ? 0 : 1, what: 'every load' };
  for (const { name: phase } of m.phases) {
    if (phase.startsWith('steady') && !steady.some((f) => f.phase === phase))
      least = { share: 0, what: `no load in ${phase}` };
  }
  for (const f of steady) {
    const share = f.shares[homeOf(f.stream)] ?? 0;
    if (share < least.share) least = { share, what: `${f.stream} in ${f.phase}` };
  }
  return {
    id: 'home',
    claim: 'Share served at home, the least of any load in any steady phase',
    bound: `≥ ${100 * bound} %`,
    measured: `${percent(least.share)} (${least.what})`,
    ok: least.share >= bound,
  };
}

/**
 * The loss of a whole site must not affect callers of the other one: none of their requests fails, and their
 * p99 stays within `times` the steady one, or within `or`. On a machine with few processors half of all
 * processes die and start again on the processors that serve these requests, which alone costs some
 * milliseconds.
 */
export const unawareBound = bound(
  z
    .strictObject({
      idc: idcNameField,
      times: z
        .number()
        .min(1)
        .max(100)
        .meta({ description: 'Largest ratio of their p99 in the outage to the steady p99.' }),
      or: durationField.meta({ description: 'A p99 up to this is allowed in any case.' }),
    })
    .meta({ description: 'Callers of an IDC that lost nothing are not affected.' }),
  (m, { idc, times, or }) => [unawareRow(m, idc, times, msOf(or))],
);

function unawareRow(m: ScenarioMeasurement, idc: string, factor: number, orMs: number): Row {
  const stream = `caller-${idc}`;
  const figures = figuresOf(m).filter((f) => f.stream === stream);
  const p99 = (phase: string) => figures.find((f) => f.phase === phase)?.latency.p99 ?? Number.NaN;
  const broken = m.faults[0] ? phaseNameAt(m, m.faults[0].moment.from) : '';
  const [steady, outage] = [p99('steady'), p99(broken)];
  const allowed = Math.max(factor * steady, orMs);
  const failed = figures.reduce((sum, f) => sum + f.failed + f.lostInFlight, 0);
  return {
    id: 'unaware',
    claim: `Callers in ${idc} are not affected: their p99 in the outage, and failed requests`,
    bound: `≤ ${factor} × steady or ${orMs} ms, 0 failed`,
    measured: `${millis(outage)}, steady ${millis(steady)}, ${failed} failed`,
    ok: outage <= allowed && failed === 0,
    ...(failed === 0 && timedBy(outage)),
  };
}
