import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { renderHtml } from '../../../src/drill/report/page/report-html.ts';
import { writeUnable } from '../../../src/drill/report/report.ts';
import { renderSummaryHtml } from '../../../src/drill/suite/report.ts';
import type { TrialResult } from '../../../src/drill/suite/result.ts';
import { type Browser, type Page, startBrowser } from '../../support/browser/browser.ts';
import { axeSource } from '../../support/built-tools.ts';
import { hostileReport, keptReport, reportOf } from './reports.ts';

const control = { report: reportOf('outage-stop-unprotected'), href: 'unprotected/index.html' };
const report = reportOf('outage-stop');

/** A phone and a desktop, in CSS pixels; of most pages each in one of the colour schemes. */
const views = [
  { width: 360, dark: true },
  { width: 1280, dark: false },
];
const allViews = [...views, ...views.map(({ width, dark }) => ({ width, dark: !dark }))];

const axe = axeSource();
const browser = axe === undefined ? undefined : await startBrowser();
const skip = browser
  ? false
  : 'there is no browser: `make browser-tools` installs Chromium and axe-core, without root';
t.teardown(() => browser?.close());

/** Writes a page into a folder and opens it there, from its file. */
async function opened(t: Test, html: string, view: { width: number; dark?: boolean }): Promise<Page> {
  const file = join(t.testdir(), 'index.html');
  writeFileSync(file, html);
  const page = await (browser as Browser).open(file, view);
  t.teardown(() => page.close());
  return page;
}

/**
 * The violations that axe-core finds, by their rules, with the first place of each. A text whose contrast it
 * cannot tell is one too, but for those of pictures: `colours.test.ts` holds their colours to it.
 */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(`${axe};0`);
  return page.evaluate(`axe.run(document).then(({ violations, incomplete }) => [
    ...violations.map(({ id, nodes }) => id + ': ' + nodes[0].html),
    ...incomplete.filter(({ id }) => id === 'color-contrast').flatMap(({ id, nodes }) => nodes)
      .filter(({ html }) => !html.startsWith('<text ')).map(({ html }) => 'not known: ' + html)])`);
}

/** How far a page reaches beyond the right edge of the screen, in CSS pixels. */
const overflow = (page: Page) =>
  page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');

const trial = (name: string): TrialResult => ({
  ...{ name, title: report.title, notes: ['without drop: there are no namespaces'] },
  run: { state: 'missed', rows: report.verdict, seconds: 41, report: 'a/index.html' },
  control: { state: 'passed', rows: control.report.verdict, seconds: 40, report: 'b/index.html' },
});
const skipped: TrialResult = {
  ...{ name: 'wan-cut', title: 'a way cut', notes: [] },
  run: { state: 'skipped', why: 'There is no /dev/net/tun.', rows: [], seconds: 0 },
};

const first = 'one that missed a bound';
const pages: Readonly<Record<string, string>> = {
  'a drill that kept its bounds, with its control': renderHtml(keptReport(), control),
  [first]: renderHtml(report),
  'a control': renderHtml(control.report),
  'hostile texts': renderHtml(hostileReport()),
  'all drills': renderSummaryHtml([trial('outage-stop'), trial('gray'), skipped], new Date(0)),
};

for (const [name, html] of Object.entries(pages))
  t.test(`${name}: no violation for axe, nothing beyond the edge, no request`, { skip }, async (t) => {
    for (const view of name === first ? allViews : views) {
      const page = await opened(t, html, view);
      const where = `${view.width} px, ${view.dark ? 'dark' : 'light'}`;
      await page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true");
      t.strictSame(await violations(page), [], where);
      t.equal(await overflow(page), 0, where);
      t.strictSame(page.asked, [], where);
      t.equal(await page.evaluate('window.broken === undefined'), true, `${where}: no script of others ran`);
    }
  });

t.test('a drill that could not run: no violation for axe', { skip }, async (t) => {
  const dir = join(t.testdir(), 'unable');
  mkdirSync(dir);
  writeUnable(dir, 'drill kill', `sh-a/control was not ready: ${'x'.repeat(400)}`);
  const page = await (browser as Browser).open(join(dir, 'index.html'), { width: 360 });
  t.teardown(() => page.close());
  t.strictSame(await violations(page), []);
  t.equal(await overflow(page), 0);
});

t.test(
  'a plot fits the screen: large letters on a phone, labels of events on a desktop',
  { skip },
  async (t) => {
    for (const [width, css] of [
      [360, 'narrow'],
      [1280, 'wide'],
    ] as const) {
      const page = await opened(t, pages[first] ?? '', { width });
      const shown = await page.evaluate<string[]>(
        "[...document.querySelectorAll('.chart')].filter((each) => each.getBoundingClientRect().width > 0).map((each) => each.classList[1])",
      );
      t.strictSame(shown, [css, css, css]);
      const letters = await page.evaluate<number>(
        `Math.min(...[...document.querySelectorAll('.chart.${css} .tick')].map((each) => each.getBoundingClientRect().height))`,
      );
      t.ok(letters >= 10, `${width} px: letters are ${letters.toFixed(1)} px high`);
    }
  },
);

t.test('the pointer reads off the values of a plot', { skip }, async (t) => {
  const page = await opened(t, pages[first] ?? '', { width: 1280 });
  const text = await page.evaluate<string>(`(() => {
    const chart = document.querySelector('.chart.wide'), box = chart.getBoundingClientRect();
    chart.dispatchEvent(new PointerEvent('pointermove', { clientX: box.left + box.width / 2 }));
    return document.getElementById('readout').textContent;
  })()`);
  t.match(text, /^[\d.]+ s, (outage|recovery): \d+ served, \d+ failed; p50 [\d.]+ ms, /);
});

t.test('negative control: planted faults are found', { skip }, async (t) => {
  const good = pages[first] ?? '';
  const planted: readonly [rule: string, html: string][] = [
    ['html-has-lang', good.replace(' lang="en"', '')],
    ['color-contrast', good.replace('</style>', '.note{color:#aaa!important}</style>')],
    ['link-name', good.replace('>JUnit</a>', '></a>')],
    ['svg-img-alt', good.replace(/ aria-label="IDC sh-a[^"]*"/, '')],
  ];
  for (const [rule, html] of planted) {
    t.not(html, good, rule);
    const found = await violations(await opened(t, html, { width: 1280 }));
    t.ok(
      found.some((each) => each.startsWith(`${rule}:`)),
      `${rule}: ${found.join('; ')}`,
    );
  }
  const wide = good.replace('<main>', '<main><p style="width:500px">wide</p>');
  t.ok((await overflow(await opened(t, wide, { width: 360 }))) > 0, 'what reaches beyond the edge');
  const asking = good.replace('<main>', '<main><img src="other.png" alt="">');
  t.match((await opened(t, asking, { width: 360 })).asked, [/other\.png$/], 'a request');
  const broken = good.replace('<main>', '<main><script>window.broken=1</script>');
  t.equal(await (await opened(t, broken, { width: 360 })).evaluate('window.broken'), 1, 'a script of others');
});
