import { readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import type { ControlBeside } from './page/plots.ts';
import { renderHtml } from './page/report-html.ts';
import type { ReportJson } from './report-json.ts';

/**
 * Writes the page of a report, `index.html`, with the curve of its negative control where that has one: in
 * the folder `unprotected` of its own, or beside it in `FOLDER-unprotected`. The report of a control draws
 * the page of its drill anew.
 */
export function writePage(dir: string, report: ReportJson): void {
  const control = report.unprotected ? undefined : controlOf(dir, report);
  writeFileSync(join(dir, 'index.html'), renderHtml(report, control));
  if (!report.unprotected) return;
  const drillDir = drillDirOf(dir);
  const drill = drillDir === undefined ? undefined : readReport(drillDir);
  if (drillDir !== undefined && drill && !drill.unprotected) writePage(drillDir, drill);
}

function controlOf(dir: string, report: ReportJson): ControlBeside | undefined {
  for (const folder of [join(dir, 'unprotected'), `${dir.replace(/\/$/, '')}-unprotected`]) {
    const control = readReport(folder);
    if (control && isControlOf(control, report))
      return { report: control, href: join(relative(dir, folder), 'index.html') };
  }
  return undefined;
}

/** Whether curves of the two can be laid over each other. */
function isControlOf(control: ReportJson, drill: ReportJson): boolean {
  const shape = ({ drill: name, options, timeline }: ReportJson) =>
    JSON.stringify([name, options, timeline.phases.map((phase) => [phase.name, Math.round(phase.to)])]);
  return control.unprotected && shape(control) === shape(drill);
}

/** The folder of the drill whose control has this one. */
function drillDirOf(dir: string): string | undefined {
  const name = basename(dir);
  if (name === 'unprotected') return dirname(dir);
  return name.endsWith('-unprotected')
    ? join(dirname(dir), name.slice(0, -'-unprotected'.length))
    : undefined;
}

/** A report that this version has written, and that ran; undefined where there is none. */
function readReport(dir: string): ReportJson | undefined {
  try {
    const report = JSON.parse(readFileSync(join(dir, 'report.json'), 'utf8')) as Partial<ReportJson>;
    return report.title !== undefined && report.lines !== undefined ? (report as ReportJson) : undefined;
  } catch {
    return undefined;
  }
}
