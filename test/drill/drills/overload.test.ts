import t from 'tap';
import { overloadDrill } from '../../../src/drill/drills/overload.ts';
import { verdictOf } from '../../../src/drill/judge/verdict.ts';
import type { Sample } from '../../../src/drill/load/sample.ts';
import type { AccessLine } from '../../../src/drill/measure/measurement.ts';
import { scenarioRows } from '../../../src/drill/scenario/bounds.ts';
import { judgeControl } from '../../../src/drill/scenario/control.ts';
import type { ScenarioMeasurement } from '../../../src/drill/scenario/measurement.ts';
import type { UpstreamEntry } from '../../../src/drill/upstream/upstream-log.ts';
import { goodMeasurement } from '../fixture.ts';
import { builtIn } from '../scenario/scenario-fixture.ts';

const [killedAt, endedAt, healthyAt] = [10_000, 21_000, 22_000];
const { bounds, control } = builtIn('overload').spec;

/** One request of a stream each `everyMs` from 5 s to 25 s, as `of` says it ended. */
function stream(name: string, everyMs: number, of: (due: number, n: number) => Partial<Sample>): Sample[] {
  return Array.from({ length: Math.floor(20_000 / everyMs) }, (_, n) => {
    const due = 5_000 + n * everyMs;
    const end = due + 100;
    const told = { id: `${name}:${n}`, stream: name, due, sent: due + 1, end, status: 200, error: '' };
    return { ...told, idc: 'sh-b', instance: 'sh-b/checkout-1', target: '', connectedAt: due, ...of(due, n) };
  });
}

const refusedAt = (due: number): Partial<Sample> =>
  due < killedAt || due >= healthyAt
    ? { idc: 'sh-a', instance: 'sh-a/checkout-1' }
    : { status: 503, outcome: 'spill-limit', idc: '', instance: '' };

const post = { shape: '', kind: 'http', method: 'POST', workMs: 100 } as const;

/** A run in which all is well: of 240 a second that come over one in eight is served. */
function measured(change: Partial<ScenarioMeasurement> = {}): ScenarioMeasurement {
  const own = stream('own', 25, () => ({}));
  const edge = stream('own-edge', 125, () => ({}));
  const served = (due: number, n: number) =>
    n % 7 === 0 && due < healthyAt && due >= killedAt ? {} : refusedAt(due);
  const spilled = stream('spilled', 4.63, served);
  const posts = stream('spilled-post', 41.7, served).map((sample) => ({
    ...sample,
    call: { ...post, bodyBytes: 0, answerBytes: 0, pieces: 0, everyMs: 0 },
  }));
  const samples = [...own, ...edge, ...spilled, ...posts];
  const entries = samples
    .filter(({ status }) => status === 200)
    .map(({ id, due }): UpstreamEntry => ({ at: due, id, method: 'GET', path: '/', leaked: [] }));
  const access = [...spilled, ...posts].map(
    ({ id, due }) => ({ listener: 'peer', idc: 'sh-b', trail: 'sh-a,sh-b', id, at: due }) as AccessLine,
  );
  const others = ['sh-b/checkout-2', 'sh-b/checkout-3', 'sh-b/checkout-4'].map(
    (name): [string, UpstreamEntry[]] => [name, []],
  );
  return {
    ...goodMeasurement(),
    phases: [
      { name: 'steady', from: 5_000, to: killedAt },
      { name: 'overload', from: killedAt, to: endedAt },
    ],
    faults: [{ claim: '', moment: { from: killedAt, to: killedAt }, struck: ['sh-a/checkout-1'] }],
    ...{ samples, access, healthyAt, ejectedInOverload: 0 },
    entries: new Map<string, UpstreamEntry[]>([['sh-b/checkout-1', entries], ...others]),
    ...change,
  };
}

const changeSamples = (
  m: ScenarioMeasurement,
  which: (sample: Sample) => boolean,
  to: Partial<Sample>,
): ScenarioMeasurement => ({
  ...m,
  samples: m.samples.map((sample) => (which(sample) ? { ...sample, ...to } : sample)),
});
const rowsOf = (m: ScenarioMeasurement) => scenarioRows(m, { overload: bounds.overload }, []);
const ownRows = [
  ...['offered', 'goodput', 'collapse', 'own-users', 'entries', 'tries-mean', 'posts', 'refused-in-words'],
  ...['ejections-in-overload', 'settled'],
];
const failing = (m: ScenarioMeasurement) =>
  rowsOf(m)
    .filter(({ ok, id }) => !ok && ownRows.includes(id))
    .map(({ id }) => id);

t.test('a run in which all is well', async (t) => {
  t.strictSame(failing(measured()), []);
  const ids = rowsOf(measured()).map(({ id }) => id);
  t.strictSame(ids.slice(0, ownRows.length), ownRows, 'each row is there');
});

const during = ({ due }: Sample) => due > killedAt + 1_000 && due < endedAt;
const isOwn = ({ stream: name }: Sample) => name.startsWith('own');

t.test('each row fails for what it is about', async (t) => {
  const good = measured();
  const twice = {
    ...good,
    entries: new Map([...good.entries, ['sh-b/checkout-2', [...good.entries.values()].flat()]]),
  };
  const late = changeSamples(good, (one) => during(one) && !isOwn(one) && one.status === 200, { end: 1e9 });
  const cases: readonly [string, ScenarioMeasurement][] = [
    ['offered', { ...good, samples: good.samples.filter((one) => isOwn(one) || !during(one)) }],
    ['goodput', late],
    ['collapse', changeSamples(late, during, { end: 1e9 })],
    [
      'own-users',
      changeSamples(good, (one) => during(one) && isOwn(one) && one.id.endsWith('3'), { status: 503 }),
    ],
    ['entries', { ...good, access: [...good.access, ...good.access.slice(0, 4_000)] }],
    ['tries-mean', twice],
    ['posts', twice],
    [
      'refused-in-words',
      changeSamples(good, (one) => during(one) && one.status === 503, { outcome: 'no-idc' }),
    ],
    ['ejections-in-overload', { ...good, ejectedInOverload: 1 }],
    ['settled', changeSamples(good, (one) => isOwn(one) && one.due > healthyAt + 2_000, { end: 1e9 })],
    ['settled', { ...good, healthyAt: Number.NaN }],
  ];
  for (const [row, m] of cases) t.ok(failing(m).includes(row), `${row}: ${failing(m)}`);
});

t.test('on a machine too busy to judge, who is late is not judged, and who fails is', async (t) => {
  const timedOf = (m: ScenarioMeasurement) => rowsOf(m).find(({ id }) => id === 'own-users')?.timed ?? false;
  const some = (one: Sample) => during(one) && isOwn(one) && one.id.endsWith('3');
  t.equal(timedOf(changeSamples(measured(), some, { end: 1e9 })), true);
  t.equal(timedOf(changeSamples(measured(), some, { status: 503 })), false);
});

t.test(
  'with losses the remaining capacity is smaller, and requests in progress at lost instances may fail',
  async (t) => {
    const loss = { claim: '', moment: { from: 15_000, to: 15_000 }, struck: ['sh-b/checkout-1'] };
    const good = measured();
    const lossy = builtIn('overload-both').spec.bounds.overload;
    const rows = scenarioRows(
      { ...good, faults: [...good.faults, loss], ejectedInOverload: 3 },
      { overload: lossy },
      [],
    );
    t.strictSame(
      rows.filter(({ ok, id }) => !ok && ownRows.includes(id)),
      [],
    );
  },
);

t.test('a control that proves nothing', async (t) => {
  const against = (m: ScenarioMeasurement) => (control ? judgeControl(m, verdictOf(rowsOf(m)), control) : []);
  t.ok(against(measured()).length > 0);
  const fallen = changeSamples(measured(), ({ due }) => due > killedAt && due < endedAt, {
    status: 503,
    idc: '',
  });
  t.strictSame(against(fallen), []);
});

t.test('what it loses is nothing, or both', async (t) => {
  const plan = (loses: string) => overloadDrill.plan({ flags: { loses }, unprotected: false, quick: true });
  t.match(plan('both').title, /an instance and a gateway of sh-b too/);
  t.equal(plan('nothing').realtime, true);
  t.throws(() => plan('all'), /no loses 'all': use one of nothing, both/);
});
