import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { timelineOf } from '../../../src/drill/judge/timeline.ts';
import { readOptions } from '../../../src/drill/options.ts';
import { linearAxis, logAxis } from '../../../src/drill/report/page/axis.ts';
import { drawChart } from '../../../src/drill/report/page/chart.ts';
import { renderHtml } from '../../../src/drill/report/page/report-html.ts';
import { renderJunit, writeReport, writeUnable } from '../../../src/drill/report/report.ts';
import { reportJson } from '../../../src/drill/report/report-json.ts';
import type { Outcome } from '../../../src/drill/report/report-outcome.ts';
import { figureLines, tableLines, verdictLines } from '../../../src/drill/report/text.ts';
import { goodMeasurement, withSamples } from '../fixture.ts';
import { judge } from '../scenario/scenario-fixture.ts';

const good = goodMeasurement();

function outcomeOf(measurement = good, more: Partial<Outcome> = {}): Outcome {
  return {
    measurement,
    verdict: judge(measurement),
    environment: { Envoy: '1.40.0', Processors: '2 × <fast> & "new"' },
    settings: readOptions({ name: 'outage' }),
    began: new Date(0),
    raisedMs: 9000,
    ...more,
  };
}

const bad = withSamples(good, (s) =>
  s.id === 'caller-sh-a:700' ? { status: 0, error: '<script>alert("x")</script>' } : undefined,
);

t.test('the page needs no network and shows every bound', async (t) => {
  const html = renderHtml(reportJson(outcomeOf()));
  // Booleans, not matches: a page that fails is too long to print.
  t.equal(/https?:\/\/|src=|@import|url\(/.exec(html)?.[0], undefined);
  t.ok(html.includes('Passed: all'));
  for (const row of judge(good).rows) t.ok(html.includes(row.claim.replaceAll("'", '&#39;')), row.claim);
  t.equal(html.match(/<svg class="chart /g)?.length, 6, 'three plots, each for wide and for narrow screens');
  t.equal(html.match(/<svg class="idc"/g)?.length, 2);
  const shown = html.replaceAll(/<script[\s\S]*?<\/script>/g, '');
  t.equal(/NaN|undefined|\[object/.exec(shown)?.[0], undefined);
});

t.test('a table of the drill’s own is on the page, in the JSON and on the console', async (t) => {
  const table = {
    ...{ id: 'asked', title: 'What was asked', note: 'By commands.', columns: ['Command', 'It said'] },
    rows: [
      { ok: true, cells: ['isthmus who <host>', 'here'] },
      { ok: false, cells: ['isthmus status', 'ready'] },
    ],
  };
  const { settings } = outcomeOf();
  const report = reportJson(
    outcomeOf(good, { settings: { ...settings, plan: { ...settings.plan, tables: () => [table] } } }),
  );
  t.strictSame(report.tables, [table]);
  const html = renderHtml(report);
  t.match(html, /<h2 id="asked">What was asked<\/h2><p class="note">By commands\.<\/p><table/);
  t.match(html, /class="good">.*agrees<\/span><\/td><td [^>]*>isthmus who &lt;host&gt;<\/td><td [^>]*>here</);
  t.match(html, /class="bad">.*differs<\/span><\/td><td [^>]*>isthmus status</);
  t.notOk(renderHtml(reportJson(outcomeOf())).includes('class="stacked own"'));
  t.strictSame(tableLines(table).slice(3), [
    'ok      Command  isthmus who <host>',
    '        It said  here',
    '',
    'MISSED  Command  isthmus status',
    '        It said  ready',
    '',
  ]);
});

t.test('a failed drill says so, and an error text cannot break the page', async (t) => {
  const html = renderHtml(reportJson(outcomeOf(bad)));
  t.match(html, /Failed: 1 of \d+ bounds missed/);
  t.match(html, /<h3>Missed <span class="count">1<\/span><\/h3>/);
  t.match(html, /<tr role="row" class="bad">.*missed<\/span><\/td><td [^>]*>Requests that succeed/);
  t.notMatch(html, '<script>alert');
  t.match(html, '&lt;script&gt;alert');
  t.match(html, '2 × &lt;fast&gt; &amp; &quot;new&quot;');
});

t.test('JUnit: a case for each bound, a failure with what was measured', async (t) => {
  const rows = judge(bad).rows.length;
  const xml = renderJunit(outcomeOf(bad));
  t.match(xml, `tests="${rows}" failures="1" errors="0"`);
  t.equal(xml.match(/<testcase /g)?.length, rows);
  t.match(xml, /name="Requests that succeed"><failure message="100 %: measured 99\.950 %/);
  t.notMatch(xml.replaceAll(/<\/?(testsuite|testcase|failure)[^<>]*>|<\?xml[^>]*>/g, ''), /[<>]/);
  t.notMatch(renderJunit(outcomeOf()), '<failure');
});

t.test('JUnit of a negative control: one case, whether it failed for the right reason', async (t) => {
  t.match(renderJunit(outcomeOf(bad, { against: [] })), 'tests="1" failures="0"');
  t.match(
    renderJunit(outcomeOf(good, { against: ['no request failed'] })),
    /failures="1".*\n.*no request failed/,
  );
});

t.test('all three files are written, also when the drill could not run', async (t) => {
  const dir = join(t.testdir(), 'deep', 'report');
  writeReport(dir, outcomeOf(bad));
  t.match(readFileSync(join(dir, 'index.html'), 'utf8'), '<!doctype html>');
  const json = JSON.parse(readFileSync(join(dir, 'report.json'), 'utf8'));
  t.match(json, { passed: false, outage: 'kill', failback: { failed: 0 }, hops: { most: 1 } });
  t.equal(json.timeline.points.length, 200);
  writeUnable(dir, 'drill kill', 'sh-a/control was not ready <in time>');
  t.match(
    readFileSync(join(dir, 'junit.xml'), 'utf8'),
    /errors="1"[\s\S]*<error message="sh-a\/control was not ready &lt;in time&gt;"/,
  );
  t.match(JSON.parse(readFileSync(join(dir, 'report.json'), 'utf8')), { passed: false, unable: /not ready/ });
  t.match(readFileSync(join(dir, 'index.html'), 'utf8'), 'could not run');
});

t.test('the timeline counts each request once, in its slice and by who served it', async (t) => {
  const { points } = timelineOf(bad);
  const sum = (pick: (p: (typeof points)[number]) => number) =>
    points.reduce((total, p) => total + pick(p), 0);
  t.equal(
    sum((p) => p.served),
    1999,
  );
  t.equal(
    sum((p) => p.failed),
    1,
  );
  t.equal(points[70]?.failed, 1, 'request 700 of 100 a second was due at 7 s');
  t.equal(
    sum((p) => p.byIdc['sh-b'] ?? 0),
    599,
  );
  t.equal(points[51]?.byIdc['sh-a'], 0);
  t.match(reportJson(outcomeOf(bad)), { timeline: { idcs: ['sh-a', 'sh-b'], seconds: 20 } });
});

t.test('the verdict in words marks what was missed', async (t) => {
  const text = verdictLines(judge(bad)).join('\n');
  t.match(text, /^MISSED +Requests that succeed +100 % +99\.950 %/m);
  t.match(text, /FAILED: 1 of \d+ bounds missed$/);
  t.match(verdictLines(judge(good)).join('\n'), /PASSED: all \d+ bounds kept$/);
  t.match(figureLines(good).join('\n'), /^outage +all +500 +0 +4\.3 +520\.0/m);
});

t.test('axes hold their values; lines break where nothing was measured', async (t) => {
  t.match(logAxis([0.4, 900], String), { from: 0.1, to: 1000, ticks: [0.1, 1, 10, 100, 1000] });
  t.match(logAxis([], String), { from: 1, to: 10 });
  t.match(linearAxis([620], String), { from: 0, ticks: [0, 200, 400, 600, 800] });
  const frame = { height: 100, seconds: 4, phases: [], marks: [] };
  const axis = linearAxis([10], String);
  const svg = drawChart('x', frame, axis, [
    {
      kind: 'line',
      css: 'p50',
      points: [
        [0, 1],
        [1, 2],
        [2, undefined],
        [3, 1],
      ],
    },
  ]);
  t.match(svg, /d="M[\d. ]+L[\d. ]+M[\d. ]+"/);
});
