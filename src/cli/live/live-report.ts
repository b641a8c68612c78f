import { textTable } from '../../base/text/text-table.ts';
import { percentText } from '../envoys/proxy-counts.ts';
import type { LiveFigures, LiveRun } from './live-run.ts';

const ends = {
  done: 'RAN THROUGH',
  refused: 'REFUSED: nothing was done',
  aborted: 'ABORTED',
  interrupted: 'INTERRUPTED',
} as const;

/** A run as text for people. */
export function liveReport(run: LiveRun): string {
  const { end, phases, events } = run;
  const isUndone =
    end === undefined || end.how === 'refused' ? '' : end.isUndone ? ', and undone' : ', NOT YET UNDONE';
  const outcome =
    end === undefined
      ? `has not ended: it runs, or its process died; then it is over ${run.leaseSeconds} s later`
      : `${ends[end.how]}${isUndone}`;
  const facts: readonly (readonly [string, string])[] = [
    ['outcome', outcome],
    ...(end === undefined || end.why === '' ? [] : [['why', end.why] as const]),
    ['who', run.who],
    ...(run.reason === undefined ? [] : [['reason', run.reason] as const]),
    ['began', run.began],
    ...(end === undefined ? [] : [['ended', end.at] as const]),
    ['Groups', run.groups.length === 0 ? 'all' : run.groups.join(', ')],
    ['steps', run.steps.map((step, i) => `${step} % for ${run.holdSeconds[i]} s`).join(', ')],
    ['aborts on', run.abortOn],
    ['asked', run.controlPlanes.join(', ')],
    ['read', run.proxies.map(({ id, role, idc }) => `${id} (${role}, ${idc})`).join(', ')],
  ];
  const lines = facts.map(([name, words]) => `${name.padEnd(10)} ${words}`);
  const times = events.map(({ at, words }) => `${at.slice(11, 23)}  ${words}`);
  return [
    `Live drill: evacuate ${run.idc}`,
    '',
    ...lines,
    '',
    ...tableOf(phases.flatMap((phase) => rowsOf(phase.name, phase.seconds, phase.confirmedMs, phase.idcs))),
    'Times are upper bounds of Envoy’s histogram buckets. `away`: share of tries sent out of the IDC.',
    '',
    'What happened (UTC):',
    ...times,
    '',
  ].join('\n');
}

const header = [
  ...['PHASE', 'SECONDS', 'CONFIRMED', 'USERS OF', 'REQUESTS', 'ERRORS', 'P50', 'P90', 'P99', 'P99.9'],
  ...['TRIES', 'AWAY', 'NO-IDC', 'SPILL-LIMIT'],
];

function rowsOf(
  phase: string,
  seconds: number,
  confirmedMs: number | undefined,
  idcs: Readonly<Record<string, LiveFigures>>,
): readonly (readonly string[])[] {
  const time = (ms: number | undefined) => (ms === undefined ? '-' : `${ms} ms`);
  return Object.entries(idcs).map(([idc, of]) => [
    ...[phase, seconds.toFixed(1), time(confirmedMs), idc, String(of.requests)],
    of.requests === 0 ? '-' : `${of.errors} (${percentText(of.errors / of.requests)})`,
    ...[of.p50, of.p90, of.p99, of.p999].map(time),
    ...[of.tries.toFixed(2), percentText(of.away), String(of.noIdc), String(of.spillLimit)],
  ]);
}

function tableOf(rows: readonly (readonly string[])[]): readonly string[] {
  return rows.length === 0 ? ['Nothing was counted.'] : textTable([header, ...rows]);
}
