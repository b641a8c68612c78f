import t from 'tap';
import { headlineOf } from '../../../src/drill/report/headline.ts';
import { renderHtml } from '../../../src/drill/report/page/report-html.ts';
import { hostileReport, keptReport, reportOf } from './reports.ts';

const report = reportOf('outage-stop');
const control = { report: reportOf('outage-stop-unprotected'), href: 'unprotected/index.html' };

/** What stands in the header, as text: a line for each block. */
function firstScreen(html: string): string[] {
  const header = /<header>([\s\S]*?)<\/header>/.exec(html)?.[1] ?? '';
  return header
    .replaceAll(/<\/(p|h1)>/g, '\n')
    .replaceAll(/<[^>]*>/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

t.test('the first screen of a drill that kept its bounds, word for word', async (t) => {
  t.strictSame(firstScreen(renderHtml(keptReport(), control)), [
    'Isthmus drill',
    'SIGSTOP of all instances of sh-a with their sidecars',
    'Passed: all 32 bounds kept',
    '0 of 3,800 requests failed; p99 1,531 ms in the outage; home after 0.29 s.',
    'Nearest to its bound: p99 in the outage, Groups without hedging, of the slowest load, 1540.6 ms (≤ 2000 ms): 77 % of the bound.',
    '2026-11-30 09:13:56 UTC · 160 requests/s from the caller, 40 from the edge · JSON · JUnit · the negative control',
  ]);
});

t.test('of one that missed a bound: which one', async (t) => {
  const lines = firstScreen(renderHtml(report));
  t.equal(lines[2], 'Failed: 1 of 32 bounds missed');
  t.equal(
    lines[4],
    'Missed: p50 in the outage, relative to the steady one, of the slowest load, 4.27 × (≤ 3 ×).',
  );
  t.notMatch(lines.at(-1), 'negative control', 'no link where none was run');
  const busy = report.verdict.map((row) =>
    row.id === 'machine' || row.id === 'ack-p50' ? { ...row, ok: false } : row,
  );
  const failed = busy.map((row) => (row.id === 'success-rate' ? { ...row, ok: false } : row));
  t.equal(
    firstScreen(renderHtml({ ...report, verdict: failed }))[4],
    'Missed: Requests that succeed, 100 % (100 %).',
    'times that a busy machine may have delayed are not judged, and not named',
  );
  t.match(
    firstScreen(renderHtml({ ...report, verdict: busy, unjudged: true }))[4],
    /^Nearest to its bound: p99 in the outage/,
  );
});

t.test('of a negative control: what is off, and that it failed as it must', async (t) => {
  const lines = firstScreen(renderHtml(control.report));
  t.equal(lines[0], 'Isthmus drill · negative control: requests cannot cross to other IDCs');
  t.match(lines[3], /^[1-9][\d,]* of 3,\d\d\d requests failed; p99 .* in the outage; /);
  t.match(lines.join('\n'), 'It was expected to fail, and failed for the right reason:');
});

t.test('the words follow the figures', async (t) => {
  const requests = { sent: 15_600, failed: 1, lostInFlight: 7, refused: 1200 };
  t.equal(
    headlineOf({ ...report, requests }),
    '1 of 15,600 requests failed (7 lost inside the site that died, 1,200 refused, because no IDC could serve them); p99 1,531 ms in the outage; home after 0.29 s',
  );
  const without = report.verdict.filter(({ id }) => id !== 'failback');
  t.match(headlineOf({ ...report, verdict: without }), /in the outage$/);
  const recovered = { id: 'recovered', claim: 'x', bound: '≤ 8 s', measured: '0.53 s', ok: true };
  t.match(headlineOf({ ...report, verdict: [...without, recovered] }), /; all answered again after 0\.53 s$/);
  const away = report.verdict.map((row) =>
    row.id === 'failback' ? { ...row, measured: 'not back by the end', ok: false } : row,
  );
  t.match(headlineOf({ ...report, verdict: away }), /; not home by the end$/);
  const quiet = report.figures.filter(({ phase }) => phase.startsWith('steady'));
  t.match(headlineOf({ ...report, figures: quiet }), /p99 [\d.]+ ms in phase “steady/, 'nothing was broken');
  const silent = report.figures.map((f) => ({ ...f, latency: { ...f.latency, p99: null } }));
  t.match(headlineOf({ ...report, figures: silent }), 'nothing was served while something was broken');
});

t.test('a hostile text stays a text everywhere', async (t) => {
  for (const [what, html] of [
    ['a control', renderHtml(hostileReport())],
    [
      'beside a drill',
      renderHtml(report, { report: hostileReport(), href: '"><script>window.broken=1</script>' }),
    ],
  ] as const) {
    t.notOk(html.includes('<script>window.broken'), what);
    t.notOk(html.includes('<img'), what);
    t.equal(html.match(/<script/g)?.length, 2, `${what}: its own two`);
    t.equal(html.match(/<\/style>/g)?.length, 1, what);
  }
});

t.test('the page links its data, and says how to repeat the run and on what it ran', async (t) => {
  const html = renderHtml(report, control);
  for (const part of [
    'href="report.json"',
    'href="junit.xml"',
    'href="unprotected/index.html"',
    'isthmus drill outage --outage stop --quick --seed 1 --caller-rate 160 --edge-rate 40',
    '<dt>Seed</dt><dd>1</dd>',
    '<dt>Isthmus</dt><dd>0.1.0, commit 0123456789ab</dd>',
    '<dt>Envoy</dt><dd>1.40.0</dd>',
    '<dt>Node.js</dt>',
  ])
    t.ok(html.includes(part), part);
});

t.test('plots: events are labelled and numbered, bounds are lines, the control is beside', async (t) => {
  const html = renderHtml(report, control);
  const wide = [...html.matchAll(/<svg class="chart wide"[\s\S]*?<\/svg>/g)].map(([svg]) => svg);
  t.equal(wide.length, 3);
  t.match(wide[0], /class="event"[^>]*>1 {2}SIGSTOP of all instances of sh-a with their sidecars</);
  for (const svg of wide) t.match(svg, /class="flag-number"[^>]*>1</);
  t.equal(wide[1]?.match(/<g class="bound-line">/g)?.length, 5, 'four on latency, one on a time');
  t.match(wide[1], /p99, Groups with hedging ≤ 600 ms/);
  t.match(wide[0], 'class="line control over"');
  t.match(wide[1], 'class="line control"');
  t.notMatch(renderHtml(report), 'class="line control', 'without a control there is none');
  t.match(wide[1], /aria-label="Latency by quantile\. The p99 of a second was [\d.]+ ms at most, at /);
});

t.test('the world: what was struck bears the number of its event', async (t) => {
  const html = renderHtml(report);
  t.match(
    html,
    'aria-label="IDC sh-a: 1 caller, 2 checkout, 1 catalog, 2 egress, 2 ingress, 1 control plane. Struck: checkout-1 by event 1; checkout-2 by event 1; catalog-1 by event 1."',
  );
  t.match(html, /aria-label="IDC sh-b: [^"]*Struck: nothing\."/);
  t.equal(html.match(/class="chip struck"/g)?.length, 3);
});
