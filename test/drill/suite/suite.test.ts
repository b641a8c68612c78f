import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { drills } from '../../../src/drill/catalog.ts';
import type { Row } from '../../../src/drill/judge/row.ts';
import { renderSummaryHtml, summaryLines } from '../../../src/drill/suite/report.ts';
import { isMet, keyFiguresOf, type RunResult, type TrialResult } from '../../../src/drill/suite/result.ts';
import { runAll } from '../../../src/drill/suite/suite.ts';
import { planTrials, selectTrials } from '../../../src/drill/suite/trials.ts';

const row = (id: string, ok: boolean, measured: string): Row => ({
  ...{ id, claim: `claim <${id}>`, bound: '≥ 95 %', measured, ok },
});
const run = (state: RunResult['state'], rows: readonly Row[] = [], why?: string): RunResult => ({
  ...{ state, rows, seconds: 41.2, report: 'a/index.html' },
  ...(why !== undefined && { why }),
});
const good: TrialResult = {
  name: 'overload',
  title: 'sh-a lost',
  notes: [],
  run: run('passed', [row('own', true, '100 %'), row('loops', true, '0'), row('goodput', true, '98.4 %')]),
  control: run('passed', [row('own', false, '0 %'), row('loops', true, '0'), row('goodput', false, '2.7 %')]),
};

t.test('every drill of the catalog and every scenario of the tree is run, chaos with 20 seeds', async (t) => {
  const names = planTrials({ quick: false }).map(({ name }) => name);
  t.equal(new Set(names).size, names.length, 'each has a name of its own');
  const folder = new URL('../../../src/drill/scenarios/', import.meta.url);
  for (const file of readdirSync(folder)) t.ok(names.includes(file.replace('.yaml', '')), file);
  for (const { name } of drills)
    t.ok(
      names.some((each) => each === name || each.startsWith(`${name}-`)),
      name,
    );
  t.equal(names.filter((name) => name.startsWith('chaos-')).length, 20);
  t.equal(planTrials({ quick: true }).filter(({ name }) => name.startsWith('chaos-')).length, 1);
  t.strictSame(
    selectTrials(planTrials({ quick: true }), ['gray', 'evacuate'])
      .map(({ name }) => name)
      .sort(),
    ['evacuate', 'gray'],
  );
  t.throws(() => selectTrials(planTrials({ quick: true }), ['grey']), { message: /no drill 'grey'.*gray/ });
});

t.test('a drill is met when its bounds are, and its control failed as it must', async (t) => {
  t.equal(isMet(good), true);
  t.equal(isMet({ ...good, run: run('missed', [row('own', false, '3 %')]) }), false);
  t.equal(isMet({ ...good, control: run('missed', [], 'its own users were served') }), false);
  t.equal(isMet({ ...good, control: run('unable', [], 'no Envoy') }), false);
  t.equal(isMet({ ...good, run: run('skipped', [], 'no root') }), true);
});

t.test(
  'key figures: what was missed, then what the protection alone keeps, beside the control',
  async (t) => {
    t.strictSame(
      keyFiguresOf(good).map(({ row: { id, measured }, without }) => [id, measured, without?.measured]),
      [
        ['own', '100 %', '0 %'],
        ['goodput', '98.4 %', '2.7 %'],
      ],
    );
    const first = { ...good, run: { ...good.run, mattersMost: ['goodput'] } };
    t.equal(keyFiguresOf(first)[0]?.row.id, 'goodput', 'what the control must miss comes first');
    const missed = { ...good, run: run('missed', [row('own', true, '100 %'), row('loops', false, '7')]) };
    t.equal(keyFiguresOf(missed)[0]?.row.id, 'loops');
    const { control, ...alone } = good;
    t.equal(keyFiguresOf(alone).length, 3, 'without a control the first ones');
  },
);

t.test(
  'the report says what was met, what proves nothing and what was skipped, and links each',
  async (t) => {
    const results: TrialResult[] = [
      good,
      { ...good, name: 'gray', control: run('missed', good.run.rows, 'it was out <all the same>') },
      {
        name: 'wan-cut',
        title: 'a way cut',
        notes: [],
        run: run('skipped', [], 'There is no /dev/net/tun.'),
      },
    ];
    const text = summaryLines(results).join('\n');
    t.match(text, /ok +overload +met, all 3 +failed as it must, 2 of 3 +41 s \+ 41 s/);
    t.match(text, /FAILED +gray +met, all 3 +PROVES NOTHING: it was out/);
    t.match(text, 'wan-cut: skipped: There is no /dev/net/tun.');
    t.match(text, '2 of 2 drills met all bounds, 1 of 2 controls failed as they must, 1 drills were skipped');
    const html = renderSummaryHtml(results, new Date(0));
    t.match(html, 'href="a/index.html"');
    t.match(html, 'it was out &lt;all the same&gt;');
    t.match(html, '98.4 %</b> / 2.7 %');
    t.notMatch(html, '<goodput>');
  },
);

t.test('drills that cannot run: skipped without namespaces, failed without an Envoy', async (t) => {
  const { PATH, ENVOY_BIN } = process.env;
  t.teardown(() => {
    process.env.PATH = PATH;
    if (ENVOY_BIN === undefined) delete process.env.ENVOY_BIN;
    else process.env.ENVOY_BIN = ENVOY_BIN;
  });
  const said: string[] = [];
  const reportDir = join(t.testdir(), 'report');
  const options = { quick: true, keepLogs: false, reportDir, say: (line: string) => said.push(line) };
  // No `ip` there.
  process.env.PATH = t.testdir();
  t.equal(await runAll({ ...options, only: ['wan-cut', 'outage-drop'] }), 2);
  t.match(said.join('\n'), /outage-drop: skipped: .*namespaces?/);
  t.match(readFileSync(join(reportDir, 'index.html'), 'utf8'), /2 drills were skipped/);

  const envoy = join(t.testdir(), 'envoy');
  writeFileSync(envoy, '#!/bin/sh\necho no Envoy\n');
  chmodSync(envoy, 0o755);
  process.env.PATH = PATH;
  process.env.ENVOY_BIN = envoy;
  t.equal(await runAll({ ...options, only: ['gray'] }), 1);
  t.match(said.join('\n'), /FAILED +gray +COULD NOT RUN/);
  t.equal(existsSync(join(reportDir, 'report.json')), true);
  t.equal(await runAll({ ...options, only: ['grey'] }), 2);
});
