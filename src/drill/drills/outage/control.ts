import { fateOf } from '../../ledger.ts';
import { percent } from '../../row.ts';
import { type Sample, succeeded } from '../../sample.ts';
import type { Verdict } from '../../verdict.ts';
import type { OutageMeasurement } from './measurement.ts';

/** Of what was due between the blow and healing, so much must not be served before: a drill that fails for one request proves nothing. */
const failedShareMin = 0.9;

/** Share of requests that must succeed before the blow: on a machine that is busy with other things a few may fail. */
const earlyShareMin = 0.99;

/**
 * Whether a drill without protection failed for the right reason: nearly all requests failed while the IDC was out,
 * hardly any before, and nobody in another IDC helped. Returns what speaks against it; [] when the negative control
 * did its work.
 */
export function judgeUnprotected(m: OutageMeasurement, verdict: Verdict): string[] {
  const against: string[] = [];
  const holds = (id: string) => verdict.rows.find((row) => row.id === id)?.ok;
  const blow = m.faults[0]?.moment;
  if (!blow) return ['nothing was broken'];
  const failedOf = (list: readonly Sample[]) => list.filter((s) => fateOf(s, m) === 'failed').length;
  if (holds('success-rate') !== false) against.push('no request failed');
  if (holds('struck-instances-silent') !== true) against.push('what was struck went on serving');
  const out = m.samples.filter((s) => s.due >= blow.to && s.due < m.healed.from);
  // What hangs is not cut: what waits for it may be served as soon as it goes on.
  const failed =
    failedOf(out.filter((s) => s.end < m.healed.from)) + out.filter((s) => s.end >= m.healed.from).length;
  if (!(failed >= failedShareMin * out.length && out.length > 0)) {
    against.push(
      `only ${failed} of ${out.length} requests failed in the outage, or waited until it was over`,
    );
  }
  const before = m.samples.filter((s) => s.end < blow.from);
  const early = before.length - failedOf(before);
  if (!(early >= earlyShareMin * before.length && before.length > 0)) {
    const share = percent(before.length === 0 ? 0 : early / before.length);
    against.push(`before the outage only ${share} of ${before.length} requests succeeded`);
  }
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
