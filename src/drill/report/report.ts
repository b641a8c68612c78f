import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { figuresOf, hopFigures, mostTries } from '../judge/analysis.ts';
import { timelineOf } from '../judge/timeline.ts';
import { rowState } from '../judge/verdict.ts';
import { escapeHtml } from './chart.ts';
import { renderHtml } from './report-html.ts';
import type { Outcome } from './report-outcome.ts';

/** Writes `index.html`, `report.json` and `junit.xml` into a folder, which it makes. */
export function writeReport(dir: string, outcome: Outcome): void {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'index.html'), renderHtml(outcome));
  writeFileSync(join(dir, 'report.json'), `${JSON.stringify(reportJson(outcome), null, 2)}\n`);
  writeFileSync(join(dir, 'junit.xml'), renderJunit(outcome));
}

/** The report for machines. Times in milliseconds, seconds in the timeline. */
export function reportJson(outcome: Outcome): object {
  const { measurement: m, verdict, settings, environment, began, raisedMs, against } = outcome;
  return {
    drill: settings.drill.name,
    options: settings.flags,
    unprotected: settings.unprotected,
    began: began.toISOString(),
    passed: verdict.passed,
    ...(verdict.unjudged && { unjudged: true }),
    ...(against && { expectedToFail: { forTheRightReason: against.length === 0, against } }),
    verdict: verdict.rows,
    ...(settings.plan.control.misses && { mattersMost: settings.plan.control.misses }),
    figures: figuresOf(m),
    ...settings.plan.figures(m),
    hops: hopFigures(m),
    tries: mostTries(m),
    raisedMs,
    seed: settings.seed,
    rates: settings.rates,
    steps: m.steps,
    timeline: timelineOf(m),
    environment,
  };
}

/**
 * One test case for each bound. A drill that was expected to fail has one case: whether it did, for the right
 * reason.
 */
export function renderJunit({ verdict, settings, against }: Outcome): string {
  const suite = `drill ${settings.plan.label}`;
  const rows =
    against === undefined
      ? verdict.rows.map((row) => ({
          name: row.claim,
          ok: row.ok,
          text: `${rowState(row, verdict) === 'unjudged' ? 'the machine was too busy to judge: ' : ''}${row.bound}: measured ${row.measured}`,
        }))
      : [{ name: 'fails without protection', ok: against.length === 0, text: against.join('; ') }];
  return junit(suite, rows, 'failure');
}

/** The report of a drill that could not run: what stood in its way. */
export function writeUnable(dir: string, name: string, message: string): void {
  mkdirSync(dir, { recursive: true });
  const text = escapeHtml(message);
  const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>The drill could not run</title><h1>The drill could not run</h1><pre>${text}</pre></html>\n`;
  writeFileSync(join(dir, 'index.html'), page);
  writeFileSync(
    join(dir, 'report.json'),
    `${JSON.stringify({ drill: name, passed: false, unable: message }, null, 2)}\n`,
  );
  writeFileSync(
    join(dir, 'junit.xml'),
    junit(name, [{ name: 'the drill runs', ok: false, text: message }], 'error'),
  );
}

function junit(
  suite: string,
  rows: readonly { readonly name: string; readonly ok: boolean; readonly text: string }[],
  kind: 'failure' | 'error',
): string {
  const cases = rows.map(({ name, ok, text }) => {
    const open = `  <testcase classname="${escapeHtml(suite)}" name="${escapeHtml(name)}"`;
    return ok ? `${open}/>` : `${open}><${kind} message="${escapeHtml(text)}"/></testcase>`;
  });
  const count = rows.filter((row) => !row.ok).length;
  const counts = `tests="${rows.length}" failures="${kind === 'failure' ? count : 0}" errors="${kind === 'error' ? count : 0}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="${escapeHtml(suite)}" ${counts}>\n${cases.join('\n')}\n</testsuite>\n`;
}
