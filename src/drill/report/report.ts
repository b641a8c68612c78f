import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rowState } from '../judge/verdict.ts';
import { writePage } from './control-beside.ts';
import { escapeHtml } from './page/markup.ts';
import { styles } from './page/report-assets.ts';
import { reportJson } from './report-json.ts';
import type { Outcome } from './report-outcome.ts';

/** Writes `index.html`, `report.json` and `junit.xml` into a folder, which it makes. */
export function writeReport(dir: string, outcome: Outcome): void {
  mkdirSync(dir, { recursive: true });
  const report = reportJson(outcome);
  writeFileSync(join(dir, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(join(dir, 'junit.xml'), renderJunit(outcome));
  writePage(dir, report);
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
  const heading = 'The drill could not run';
  const page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${heading}</title><style>${styles}</style></head><body><header><p class="kind">Isthmus ${escapeHtml(name)}</p><h1>${heading}</h1></header>
<main><pre class="command">${escapeHtml(message)}</pre><p class="note"><a href="report.json">JSON</a> · <a href="junit.xml">JUnit</a></p></main></body></html>
`;
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
