import { percent } from '../judge/row.ts';
import type { Verdict } from '../judge/verdict.ts';
import { type Sample, succeeded } from '../load/sample.ts';
import { fateOf } from '../measure/fates.ts';
import type { Control } from './document/document.ts';
import { parseShare } from './document/fields.ts';
import type { ScenarioMeasurement } from './measurement.ts';

/**
 * Share of requests that must succeed before the fault: on a machine that is busy with other things a few may
 * fail.
 */
const earlyShareMin = 0.99;

/**
 * Whether a scenario without its protection failed for the right reason: the rows that must be missed are,
 * those that must hold do, hardly anything failed before the fault unless it may, and what else the control
 * states. Returns what speaks against it; [] when the negative control did its work.
 */
export function judgeControl(m: ScenarioMeasurement, verdict: Verdict, control: Control): string[] {
  const against: string[] = [];
  const injected = m.faults[0]?.moment;
  if (!injected && !control.unbroken) return ['nothing was broken'];
  const tell = (id: string) => {
    const row = verdict.rows.find((each) => each.id === id);
    return { ok: row?.ok, text: `${row?.claim ?? id}: ${row ? row.measured : 'not measured'}` };
  };
  for (const ids of control.misses) {
    const rows = [ids].flat().map(tell);
    if (rows.every(({ ok }) => ok !== false)) against.push(...rows.map(({ text }) => text));
  }
  for (const { ok, text } of (control.holds ?? []).map(tell)) if (!ok) against.push(text);
  if (injected && !control.fromTheStart) against.push(...earlyFaults(m, injected.from));
  if (injected && control.unserved !== undefined)
    against.push(...servedFaults(m, injected.to, parseShare(control.unserved)));
  if (control.alone) against.push(...helpFaults(m));
  return against;
}

const failedOf = (list: readonly Sample[], m: ScenarioMeasurement) =>
  list.filter((s) => fateOf(s, m) === 'failed').length;

/**
 * Of what was due between the fault and healing, so much must not be served: one failed request proves
 * nothing.
 */
function servedFaults(m: ScenarioMeasurement, from: number, least: number): string[] {
  const out = m.samples.filter((s) => s.due >= from && s.due < m.healed.from);
  // What hangs is not cut: what waits for it may be served as soon as it goes on.
  const failed =
    failedOf(
      out.filter((s) => s.end < m.healed.from),
      m,
    ) + out.filter((s) => s.end >= m.healed.from).length;
  return failed >= least * out.length && out.length > 0
    ? []
    : [`only ${failed} of ${out.length} requests failed in the outage, or waited until healing`];
}

function earlyFaults(m: ScenarioMeasurement, injectedMs: number): string[] {
  const before = m.samples.filter((s) => s.end < injectedMs);
  const early = before.length - failedOf(before, m);
  if (early >= earlyShareMin * before.length && before.length > 0) return [];
  const share = percent(before.length === 0 ? 0 : early / before.length);
  return [`before the outage only ${share} of ${before.length} requests succeeded`];
}

/** Nobody in another IDC may have helped. */
function helpFaults(m: ScenarioMeasurement): string[] {
  const against: string[] = [];
  const helped = m.access.filter((line) => line.listener === 'peer' && line.id !== '').length;
  if (helped > 0) against.push(`${helped} requests crossed to another IDC`);
  const isElsewhere = (idc: string) => idc !== '' && idc !== m.lostIdc;
  const served =
    m.samples.filter((s) => succeeded(s) && isElsewhere(s.idc)).length +
    [...m.entries].reduce(
      (sum, [name, list]) => sum + (isElsewhere(name.split('/')[0] ?? '') ? list.length : 0),
      0,
    );
  if (served > 0) against.push(`instances of another IDC served ${served} times`);
  return against;
}
