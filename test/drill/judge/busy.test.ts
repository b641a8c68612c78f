import t from 'tap';
import { latenessOf, machineRow } from '../../../src/drill/judge/machine.ts';
import type { Row } from '../../../src/drill/judge/row.ts';
import { timedBy } from '../../../src/drill/judge/row.ts';
import { rowState, verdictOf } from '../../../src/drill/judge/verdict.ts';
import { verdictLines, verdictSummary } from '../../../src/drill/report/text.ts';
import type { ScenarioMeasurement } from '../../../src/drill/scenario/measurement.ts';
import { goodMeasurement, withSamples } from '../fixture.ts';
import { judge } from '../scenario/scenario-fixture.ts';

const good = goodMeasurement();
/** Load clients that sent 80 ms late in the outage, and only then. */
const late = (m: ScenarioMeasurement) =>
  withSamples(m, ({ due, end }) =>
    due >= 5000 && due < 10_000 ? { sent: due + 80, end: end + 80 } : undefined,
  );
const slow = (m: ScenarioMeasurement) =>
  withSamples(m, ({ due, end }) => (due >= 5000 && due < 10_000 ? { end: end + 2500 } : undefined));
const failing = (m: ScenarioMeasurement) =>
  withSamples(m, ({ id }) => (id === 'caller-sh-a:700' ? { status: 503, error: 'status 503' } : undefined));
const verdict = (m: ScenarioMeasurement) => verdictOf([machineRow(m), ...judge(m).rows]);
const missed = (m: ScenarioMeasurement) => {
  const whole = verdict(m);
  return whole.rows.filter((row) => rowState(row, whole) === 'missed').map(({ id }) => id);
};

t.test('the lateness of the load clients in the worst phase is the machine’s', async (t) => {
  t.match(latenessOf(good), { late: 0.5 });
  t.match(latenessOf(late(good)), { late: 80, phase: 'outage' });
  t.match(machineRow(late(good)), { ok: false, measured: /80\.0 ms in outage; .*TOO BUSY TO JUDGE/ });
  t.match(
    machineRow({ ...good, realtime: false }).measured,
    /no real-time priority: that needs root and chrt/,
  );
  t.match(machineRow({ ...good, bareStartMs: 30 }), { ok: true, measured: /bare Node process .* in 30/ });
  t.match(machineRow({ ...good, bareStartMs: 101 }), { ok: false, measured: /in 101.*TOO BUSY/ });
  t.equal(
    machineRow({ ...good, samples: [] }).ok,
    true,
    'no request, no lateness: what is missing is missed',
  );
});

t.test('times that were missed are judged on a machine that was free alone', async (t) => {
  t.match(verdict(slow(good)), { passed: false, unjudged: false });
  t.ok(missed(slow(good)).includes('outage-p99'));
  const busy = verdict(late(slow(good)));
  t.match(busy, { passed: false, unjudged: true });
  t.strictSame(missed(late(slow(good))), []);
  t.match(verdictSummary(busy), /^Not judged: the machine was too busy, and \d+ of \d+ bounds, all on times/);
  t.match(verdictLines(busy).join('\n'), /BUSY +p99 in the outage/);
});

t.test('a request that failed fails the drill on any machine', async (t) => {
  const both = verdict(late(slow(failing(good))));
  t.match(both, { passed: false, unjudged: false });
  t.strictSame(missed(late(slow(failing(good)))), ['success-rate']);
  t.match(verdictSummary(both), /^Failed: 1 of/);
});

t.test('a time that never came is missed on any machine', async (t) => {
  const nobody = withSamples(good, ({ due }) =>
    due >= 5000 && due < 10_000 ? { sent: due + 80, status: 503, error: 'status 503' } : undefined,
  );
  t.ok(missed(nobody).includes('outage-p99'), 'there is no time to be late');
  t.strictSame(
    [timedBy(5), timedBy(Number.NaN), timedBy(Number.POSITIVE_INFINITY)],
    [{ timed: true }, {}, {}],
  );
});

t.test('what holds on a busy machine holds', async (t) => {
  // One request in twenty.
  const some = withSamples(good, ({ id, sent, end }) =>
    id.endsWith('07') || id.endsWith('27') ? { sent: sent + 80, end: end + 80 } : undefined,
  );
  t.equal(machineRow(some).ok, false);
  t.match(verdict(some), { passed: true, unjudged: false });
  const row: Row = { id: 'x', claim: '', bound: '', measured: '', ok: true };
  t.equal(verdictOf([machineRow(late(good))]).passed, false, 'no bound shows nothing');
  t.equal(verdictOf([machineRow(late(good)), row]).passed, true);
});
