import { readFileSync } from 'node:fs';
import type { ReportJson } from '../../../src/drill/report/report-json.ts';

/** A report of a real drill, as it was written; its timeline by the second. */
export function reportOf(name: 'outage-stop' | 'outage-stop-unprotected'): ReportJson {
  return JSON.parse(readFileSync(new URL(`reports/${name}.json`, import.meta.url), 'utf8'));
}

/** The same drill with every bound kept. */
export function keptReport(): ReportJson {
  const report = reportOf('outage-stop');
  const verdict = report.verdict.map((row) =>
    row.ok ? row : { ...row, ok: true, measured: '1.20 × (3.6 ms, steady 3.0 ms, caller-sh-a)' },
  );
  return { ...report, passed: true, verdict };
}

/** A text that would break out of any place of a page that did not escape it. */
export const hostile = `</script></title></style><script>window.broken=1</script><img src=x onerror="window.broken=1">"'&`;

/** A report in which every text that somebody else may have written is hostile. */
export function hostileReport(): ReportJson {
  const report = reportOf('outage-stop');
  return {
    ...report,
    title: hostile,
    drill: hostile,
    command: hostile,
    control: { off: hostile, proves: hostile },
    unprotected: true,
    expectedToFail: { forTheRightReason: false, against: [hostile] },
    rates: { [hostile]: 5 },
    tables: [
      {
        ...{ id: 'own', title: hostile, note: hostile, columns: [hostile, hostile] },
        rows: [{ ok: false, cells: [hostile, hostile] }],
      },
    ],
    verdict: report.verdict.map((row) => ({ ...row, claim: hostile, bound: hostile, measured: hostile })),
    figures: report.figures.map((f) => ({ ...f, phase: hostile, stream: hostile, shares: { [hostile]: 1 } })),
    world: {
      crossing: true,
      idcs: report.world.idcs.map(({ rows }) => ({
        name: hostile,
        rows: rows.map((row) => ({ ...row, label: hostile, parts: [hostile, ...row.parts] })),
      })),
    },
    timeline: {
      ...report.timeline,
      idcs: [hostile],
      phases: report.timeline.phases.map((phase) => ({ ...phase, name: hostile })),
      marks: report.timeline.marks.map((mark) => ({ ...mark, text: hostile, struck: [hostile] })),
    },
    lines: report.lines.map((line) => ({ ...line, claim: hostile, bound: hostile })),
    environment: { [hostile]: hostile },
  };
}
