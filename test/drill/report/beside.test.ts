import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readOptions } from '../../../src/drill/options.ts';
import { writePage } from '../../../src/drill/report/control-beside.ts';
import { writeReport } from '../../../src/drill/report/report.ts';
import { reportJson } from '../../../src/drill/report/report-json.ts';
import type { Outcome } from '../../../src/drill/report/report-outcome.ts';
import { scenarioDrill } from '../../../src/drill/scenario/plan.ts';
import { goodMeasurement, withSamples } from '../fixture.ts';
import { judge, outage } from '../scenario/scenario-fixture.ts';

const good = goodMeasurement();
const lost = withSamples(good, (s) =>
  s.due >= 5000 && s.due < 10_000 ? { status: 503, error: 'nobody' } : undefined,
);

function outcomeOf(unprotected: boolean, options: object = {}): Outcome {
  const measurement = unprotected ? lost : good;
  return {
    measurement,
    verdict: judge(measurement),
    environment: { Envoy: '1.40.0' },
    settings: readOptions({ name: 'outage', unprotected, expectFail: unprotected, ...options }),
    began: new Date(0),
    raisedMs: 9000,
    ...(unprotected && { against: [] }),
  };
}

const pageOf = (dir: string) => readFileSync(join(dir, 'index.html'), 'utf8');
const hasCurve = (dir: string) => pageOf(dir).includes('class="line control over"');

/** Writes the reports of a drill and of its control, in that order or the other. */
function written(t: Test, control: string, controlFirst: boolean, options: object = {}) {
  const top = t.testdir();
  const dirs = { drill: join(top, 'outage'), control: join(top, control) };
  const [drill, unprotected] = [
    () => writeReport(dirs.drill, outcomeOf(false)),
    () => writeReport(dirs.control, outcomeOf(true, options)),
  ];
  for (const write of controlFirst ? [unprotected, drill] : [drill, unprotected]) write();
  return dirs;
}

t.test('the control is beside its drill, whichever ran first, and linked from its page', async (t) => {
  for (const folder of ['outage/unprotected', 'outage-unprotected'])
    for (const first of [true, false]) {
      const { drill, control } = written(t, folder, first);
      const href =
        folder === 'outage/unprotected' ? 'unprotected/index.html' : '../outage-unprotected/index.html';
      t.equal(hasCurve(drill), true, `${folder}, the control ${first ? 'first' : 'last'}`);
      t.ok(pageOf(drill).includes(`href="${href}"`), href);
      t.equal(hasCurve(control), false, 'a control has none');
    }
});

t.test('what is no control of it is not drawn: other options, other phases, nothing there', async (t) => {
  const { drill } = written(t, 'outage-unprotected', true, { flags: { outage: 'stop' } });
  t.equal(hasCurve(drill), false, 'another way to lose the IDC');
  const alone = join(t.testdir(), 'alone');
  writeReport(alone, outcomeOf(false));
  t.equal(hasCurve(alone), false);
  mkdirSync(join(alone, 'unprotected'));
  for (const text of ['no JSON', '{"drill": "outage", "unprotected": true}']) {
    writeFileSync(join(alone, 'unprotected', 'report.json'), text);
    writePage(alone, reportJson(outcomeOf(false)));
    t.equal(hasCurve(alone), false, text);
  }
  const long = reportJson(outcomeOf(true));
  const phases = long.timeline.phases.map((phase) => ({ ...phase, to: phase.to + 3 }));
  writeFileSync(
    join(alone, 'unprotected', 'report.json'),
    JSON.stringify({ ...long, timeline: { ...long.timeline, phases } }),
  );
  writePage(alone, reportJson(outcomeOf(false)));
  t.equal(hasCurve(alone), false, 'longer phases');
});

t.test('the report has a line for each bound that a plot can show', async (t) => {
  const { lines } = reportJson(outcomeOf(false));
  t.strictSame(
    lines.map((line) => [
      line.bound,
      line.plot,
      'at' in line ? line.at : [Math.round(line.value), line.from, line.to],
    ]),
    [
      ['≤ 2000 ms', 'latency', [2000, 5, 10]],
      ['≤ 3 ×', 'latency', [13, 5, 10]],
      ['≤ 2000 ms', 'latency', [2000, 10, 15]],
      ['≤ 3 s', 'time', 8],
      ['≤ 10 s', 'time', 20.8],
    ],
  );
});

t.test('the command repeats the run', async (t) => {
  const command = (options: Parameters<typeof readOptions>[0]) => readOptions(options).command;
  t.equal(command({ name: 'outage' }), 'isthmus drill outage --outage kill --seed 1');
  t.equal(
    command({
      ...{ name: 'outage', flags: { outage: 'stop' }, quick: true, seed: 7, rates: { caller: 160 } },
      ...{ unprotected: true, expectFail: true },
    }),
    'isthmus drill outage --outage stop --quick --seed 7 --caller-rate 160 --unprotected --expect-fail',
  );
  t.equal(
    command({
      name: 'outage-kill',
      drill: scenarioDrill(outage('kill')),
      file: 'my.yaml',
      rates: { edge: 5 },
    }),
    'isthmus drill run my.yaml --seed 1 --rate edge=5',
  );
});
