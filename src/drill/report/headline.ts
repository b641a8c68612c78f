import { machineId } from '../judge/machine.ts';
import { nearnessOf } from '../judge/nearness.ts';
import type { Row } from '../judge/row.ts';
import { rowState } from '../judge/verdict.ts';
import { toneOf } from './page/chart.ts';
import type { ReportJson } from './report-json.ts';

/**
 * A drill in words, for the first screen: what failed, how slow it was while something was broken, how soon
 * all was as before. `0 of 15,600 requests failed; p99 42 ms in the outage; home after 0.42 s`.
 */
export function headlineOf(report: ReportJson): string {
  return [failedWords(report), latencyWords(report), returnWords(report.verdict)]
    .filter((words) => words !== '')
    .join('; ');
}

/** Missed bounds that are named at most. */
const missedMax = 3;

/** What was missed, or else what was nearest to its bound, in words; '' where no bound has a margin. */
export function nearestWords(rows: readonly Row[]): string {
  // What a busy machine may have caused is in the verdict, as not judged.
  const missed = rows.filter((row) => rowState(row, { rows }) === 'missed');
  if (missed.length > 0) {
    const more = missed.length > missedMax ? `; and ${missed.length - missedMax} more` : '';
    return `Missed: ${missed.slice(0, missedMax).map(seenWords).join('; ')}${more}.`;
  }
  const near = rows
    .filter(({ id, ok }) => ok && id !== machineId)
    .map((row) => ({ row, near: nearnessOf(row) }))
    .filter(({ near }) => near?.kind === 'quantity')
    .sort((a, b) => (b.near?.used ?? 0) - (a.near?.used ?? 0))[0];
  if (!near?.near) return '';
  return `Nearest to its bound: ${seenWords(near.row)}: ${usedWords(near.near.used)}.`;
}

/** `p99 in the outage, 1501.6 ms (≤ 2000 ms)`. */
function seenWords({ claim, measured, bound }: Row): string {
  return `${claim}, ${measured.split(' (')[0]} (${bound})`;
}

/** `53 % of the bound`. */
export function usedWords(used: number): string {
  if (!Number.isFinite(used)) return 'beyond the bound';
  // Never rounded to the other side of the bound.
  const rounded = used > 1 ? Math.ceil(100 * used) : Math.floor(100 * used);
  return `${withCommas(rounded)} % of the bound`;
}

function failedWords({ requests }: ReportJson): string {
  const { sent, failed, lostInFlight, refused } = requests;
  const apart = [
    ...(lostInFlight > 0 ? [`${withCommas(lostInFlight)} lost inside the site that died`] : []),
    ...(refused > 0 ? [`${withCommas(refused)} refused, because no IDC could serve them`] : []),
  ];
  const told = apart.length === 0 ? '' : ` (${apart.join(', ')})`;
  return `${withCommas(failed)} of ${withCommas(sent)} requests failed${told}`;
}

/** The worst p99 of the phases in which something is broken; of all phases where none is. */
function latencyWords({ figures }: ReportJson): string {
  const all = figures.filter(({ stream }) => stream === '');
  const broken = all.filter(({ phase }) => toneOf(phase) === 'broken');
  const known = (broken.length > 0 ? broken : all).flatMap(({ phase, latency: { p99 } }) =>
    p99 === null ? [] : [{ phase, p99 }],
  );
  const worst = known.sort((a, b) => b.p99 - a.p99)[0];
  if (!worst) return 'nothing was served while something was broken';
  return `p99 ${latencyText(worst.p99)} in ${worst.phase === 'outage' ? 'the outage' : `phase “${worst.phase}”`}`;
}

/** When all was as before, where a bound tells it. */
function returnWords(rows: readonly Row[]): string {
  const lead = (measured: string) => /^[\d.]+ m?s\b/.exec(measured)?.[0];
  const back = rows.find(({ id }) => id === 'failback');
  if (back) {
    const time = lead(back.measured);
    return time === undefined ? 'not home by the end' : `home after ${time}`;
  }
  const healed = rows.find(({ id }) => id === 'recovered');
  if (!healed) return '';
  const time = lead(healed.measured);
  return time === undefined ? 'not all that was struck answered again' : `all answered again after ${time}`;
}

function latencyText(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms >= 10 ? `${withCommas(Math.round(ms))} ms` : `${ms.toFixed(1)} ms`;
}

/** `15,600`. */
function withCommas(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 0 });
}
