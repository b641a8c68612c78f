import t from 'tap';
import {
  capacity,
  judgeOverload,
  judgeOverloadControl,
  type OverloadMeasurement,
} from '../../src/drill/drills/overload/verdict.ts';
import { overloadDrill } from '../../src/drill/drills/overload.ts';
import type { AccessLine } from '../../src/drill/measurement.ts';
import type { Sample } from '../../src/drill/sample.ts';
import type { UpstreamEntry } from '../../src/drill/upstream-log.ts';
import { verdictOf } from '../../src/drill/verdict.ts';

const [killedAt, endedAt, healedAt] = [10_000, 21_000, 22_000];

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
  due < killedAt || due >= healedAt
    ? { idc: 'sh-a', instance: 'sh-a/checkout-1' }
    : { status: 503, outcome: 'spill-limit', idc: '', instance: '' };

/** A run in which all is well: of 240 a second that come over one in eight is served. */
function measured(change: Partial<OverloadMeasurement> = {}): OverloadMeasurement {
  const own = stream('own', 25, () => ({}));
  const edge = stream('own-edge', 125, () => ({}));
  const served = (due: number, n: number) =>
    n % 7 === 0 && due < healedAt && due >= killedAt ? {} : refusedAt(due);
  const spilled = stream('spilled', 4.63, served);
  const posts = stream('spilled-post', 41.7, served).map((sample) => ({
    ...sample,
    call: {
      shape: '',
      kind: 'http',
      method: 'POST',
      workMs: 100,
      bodyBytes: 0,
      answerBytes: 0,
      pieces: 0,
      everyMs: 0,
    } as const,
  }));
  const samples = [...own, ...edge, ...spilled, ...posts];
  const entries = samples
    .filter(({ status }) => status === 200)
    .map(({ id, due }): UpstreamEntry => ({ at: due, id, method: 'GET', path: '/', leaked: [] }));
  const access = [...spilled, ...posts].map(
    ({ id, due }) => ({ listener: 'peer', idc: 'sh-b', trail: 'sh-a,sh-b', id, at: due }) as AccessLine,
  );
  return {
    ...{ idcs: ['sh-a', 'sh-b'], phases: [], steps: [], streams: [], counters: [], listeners: [], lost: [] },
    ...{ isolation: {}, usage: [], samples, access },
    entries: new Map([['sh-b/checkout-1', entries]]),
    ...{ killedAt, endedAt, healedAt, lossAt: Number.POSITIVE_INFINITY, ejections: 0, realtime: true },
    ...change,
  };
}

const changeSamples = (m: OverloadMeasurement, which: (sample: Sample) => boolean, to: Partial<Sample>) => ({
  ...m,
  samples: m.samples.map((sample) => (which(sample) ? { ...sample, ...to } : sample)),
});
const ownRows = [
  'machine',
  'offered',
  'goodput',
  'own-users',
  'entries',
  'tries-mean',
  'posts',
  'refused-in-words',
  'ejections',
  'settled',
];
const failing = (m: OverloadMeasurement) =>
  judgeOverload(m)
    .filter(({ ok, id }) => !ok && ownRows.includes(id))
    .map(({ id }) => id);

t.test('a run in which all is well', async (t) => {
  t.strictSame(failing(measured()), []);
  t.equal(capacity, 80);
});

t.test('each row fails for what it is about', async (t) => {
  const good = measured();
  const during = ({ due }: Sample) => due > killedAt + 1_000 && due < endedAt;
  const isOwn = ({ stream: name }: Sample) => name.startsWith('own');
  const cases: readonly [string, OverloadMeasurement][] = [
    ['machine', changeSamples(good, ({ id }) => id.endsWith('7'), { sent: Number.POSITIVE_INFINITY })],
    ['offered', { ...good, samples: good.samples.filter((one) => isOwn(one) || !during(one)) }],
    ['goodput', changeSamples(good, (one) => during(one) && !isOwn(one) && one.status === 200, { end: 1e9 })],
    [
      'own-users',
      changeSamples(good, (one) => during(one) && isOwn(one) && one.id.endsWith('3'), { status: 503 }),
    ],
    ['entries', { ...good, access: [...good.access, ...good.access.slice(0, 4_000)] }],
    [
      'tries-mean',
      {
        ...good,
        entries: new Map([...good.entries, ['sh-b/checkout-2', [...good.entries.values()].flat()]]),
      },
    ],
    [
      'posts',
      {
        ...good,
        entries: new Map([...good.entries, ['sh-b/checkout-2', [...good.entries.values()].flat()]]),
      },
    ],
    [
      'refused-in-words',
      changeSamples(good, (one) => during(one) && one.status === 503, { outcome: 'no-idc' }),
    ],
    ['ejections', { ...good, ejections: 1 }],
    ['settled', changeSamples(good, (one) => isOwn(one) && one.due > healedAt + 2_000, { end: 1e9 })],
    ['settled', { ...good, healedAt: Number.NaN }],
  ];
  for (const [row, m] of cases) t.ok(failing(m).includes(row), `${row}: ${failing(m)}`);
});

t.test('with losses the rest bears less, and what they had in work may fail', async (t) => {
  const m = { ...measured({ lossAt: 15_000, ejections: 3 }) };
  t.strictSame(failing(m), []);
});

t.test('a control that proves nothing', async (t) => {
  const good = measured();
  t.ok(judgeOverloadControl(good, verdictOf(judgeOverload(good))).length > 0);
  const fallen = changeSamples(good, ({ due }) => due > killedAt && due < endedAt, { status: 503, idc: '' });
  t.strictSame(judgeOverloadControl(fallen, verdictOf(judgeOverload(fallen))), []);
});

t.test('what it loses is nothing, or both', async (t) => {
  const plan = (loses: string) => overloadDrill.plan({ flags: { loses }, unprotected: false, quick: true });
  t.match(plan('both').title, /an instance and a gateway lost/);
  t.throws(() => plan('all'), /--loses is nothing or both/);
});
