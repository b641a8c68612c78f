import t from 'tap';
import { phaseOf } from '../../../src/drill/judge/analysis.ts';
import { scenarioRows } from '../../../src/drill/scenario/bounds.ts';
import { goodMeasurement, withSamples } from '../fixture.ts';

const good = goodMeasurement();
const rowOf = (m: typeof good, value: object) => scenarioRows(m, { share: [value] }, [])[0];

t.test('what an IDC serves of a phase, from a moment on, between its bounds', async (t) => {
  // sh-a is away from 5 to 11 s.
  t.match(rowOf(good, { of: 'sh-b', in: 'outage', least: '100%' }), { ok: true, id: 'share-sh-b-outage' });
  t.match(rowOf(good, { of: 'sh-b', in: 'recovery', least: '1%' }), {
    ok: true,
    measured: /^20 %|^20\.000 %/,
  });
  t.match(rowOf(good, { of: 'sh-b', in: 'recovery', after: '1s', most: '0%' }), {
    ok: true,
    measured: /^0 %/,
  });
  t.equal(rowOf(good, { of: 'sh-b', in: 'recovery', most: '19%' })?.ok, false);
  t.equal(rowOf(good, { of: 'sh-a', in: 'outage', least: '1%' })?.ok, false);
  t.equal(
    rowOf(good, { of: 'sh-a', in: 'steady', load: 'edge' })?.ok,
    false,
    'a load of which nobody was served',
  );
  const failed = withSamples(good, () => ({ status: 503, error: 'status 503' }));
  t.equal(rowOf(failed, { of: 'sh-a', in: 'steady' })?.ok, false);
});

t.test(
  'a request that outlives its phase is of no phase: the next fault may have sent it elsewhere',
  async (t) => {
    const outage = { of: 'sh-b', in: 'outage', least: '100%' };
    const { from, to } = phaseOf(good, 'outage');
    const strayed = (end: number) =>
      withSamples(good, (s) => (s.sent >= from && s.sent < from + 100 ? { end, idc: 'sh-a' } : {}));
    t.equal(rowOf(strayed(to + 1), outage)?.ok, true);
    t.equal(rowOf(strayed(to), outage)?.ok, false);
  },
);
