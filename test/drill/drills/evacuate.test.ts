import t from 'tap';
import {
  type EvacuateFacts,
  judgeEvacuate,
  judgeEvacuateControl,
} from '../../../src/drill/drills/evacuate/verdict.ts';
import { evacuateDrill } from '../../../src/drill/drills/evacuate.ts';
import { verdictOf } from '../../../src/drill/judge/verdict.ts';
import type { Sample } from '../../../src/drill/load/sample.ts';
import type { Measurement } from '../../../src/drill/measure/measurement.ts';

type M = Measurement & EvacuateFacts;

const share = (percent: number, from: number, until: number) => ({
  ...{ percent, startedAt: from - 300, from, to: from + 50, until, code: 0 },
});
const facts: EvacuateFacts = {
  ...{ left: 'sh-a', standIn: 'sh-b' },
  shares: [share(10, 3_000, 6_000), share(50, 6_000, 9_000), share(100, 9_000, 12_000)],
  died: { from: 12_000, to: 12_010 },
  revivedAt: 15_000,
  home: share(0, 18_000, 21_000),
  bareStartMs: 30,
};

/** Who serves the n-th request, which is due at a time. */
function servedBy(due: number, n: number): string {
  if (due < 3_025 || (due >= 12_000 && due < 15_000) || due >= 18_025) return 'sh-a';
  if (due < 6_025) return n % 10 === 0 ? 'sh-b' : 'sh-a';
  if (due < 9_025) return n % 2 === 0 ? 'sh-b' : 'sh-a';
  return 'sh-b';
}

/** 500 requests a second for 21 s, one in five a POST, in which all went well. */
function measured(of: (sample: Sample, n: number) => Partial<Sample> = () => ({})): M {
  const samples = Array.from({ length: 10_500 }, (_, n): Sample => {
    const due = n * 2;
    const stream = n % 5 === 3 ? 'caller-sh-a-post' : 'caller-sh-a';
    const idc = servedBy(due, n);
    const good: Sample = {
      ...{ id: `${stream}:${n}`, stream, due, sent: due, end: due + 5, status: 200, idc },
      ...{ instance: `${idc}/checkout-1`, target: '127.1.0.91:15001', connectedAt: 1, error: '' },
    };
    return { ...good, ...of(good, n) };
  });
  const entries = Map.groupBy(
    samples.map(({ id, instance, due }) => ({ id, instance, at: due, method: 'GET', path: '/', leaked: [] })),
    ({ instance }) => instance,
  );
  return {
    ...facts,
    ...{ idcs: ['sh-a', 'sh-b'], phases: [], steps: [], streams: [], samples, entries, access: [] },
    ...{ counters: [], listeners: [], lost: [], isolation: {}, usage: [] },
  };
}

const own = (m: M) =>
  judgeEvacuate(m).filter(({ id }) => !/^(reconcile|crossings|circles|no-leaked)/.test(id));
const missed = (m: M) =>
  own(m)
    .filter(({ ok }) => !ok)
    .map(({ id }) => id);

const failing: Partial<Sample> = { status: 503, error: 'status 503', idc: '', instance: '' };

t.test('a run in which all is well passes', async (t) => {
  t.strictSame(missed(measured()), []);
  t.equal(own(measured()).length, 9);
});

t.test('each bound fails for what it is there for', async (t) => {
  const at = (due: number, change: Partial<Sample>) => (sample: Sample) => (sample.due === due ? change : {});
  t.strictSame(missed(measured(at(5_000, failing))), ['failed-get']);
  t.strictSame(missed(measured(at(5_006, failing))), ['failed-post']);
  t.strictSame(missed(measured(at(11_996, { ...failing, end: 12_005 }))), [], 'a POST in work on what died');
  t.match(missed(measured(at(14_006, failing))), ['failed-post', 'come-home'], 'but no later one');
  t.match(missed(measured(at(13_000, failing))), ['failed-get', 'come-home']);
  const all = (from: number, to: number, idc: string) =>
    missed(measured(({ due }) => (due >= from && due < to ? { idc } : {})));
  t.strictSame(all(3_000, 6_000, 'sh-a'), ['share-10']);
  t.strictSame(all(6_000, 9_000, 'sh-b'), ['share-50']);
  t.match(all(10_900, 11_000, 'sh-a'), ['share-100', 'last-wrong']);
  const twice = measured(at(11_000, { idc: 'sh-a' }));
  t.strictSame(missed(twice), ['share-100', 'last-wrong']);
  const line = {
    proxy: 'sh-a/caller',
    idc: 'sh-a',
    listener: 'outbound',
    at: 11_000,
    durationMs: 5,
    id: 'caller-sh-a:5500',
  };
  const tries = { status: 200, flags: '', trail: '', attempts: 2, outcome: '' };
  t.strictSame(
    missed({ ...twice, access: [{ ...line, ...tries }] }),
    [],
    'it was tried elsewhere, and came home',
  );
  const started = (at: number, m = measured()) => {
    const [first, second, last] = m.shares as [
      (typeof m.shares)[0],
      (typeof m.shares)[0],
      (typeof m.shares)[0],
    ];
    return missed({ ...m, shares: [first, second, { ...last, startedAt: at }] });
  };
  const noneWrong = measured(({ due }) => (due >= 9_000 && due < 9_040 ? { idc: 'sh-b' } : {}));
  t.strictSame(started(9_000, noneWrong), ['last-wrong'], 'nobody was wrong: it was not looked at');
  t.strictSame(started(8_100), []);
  t.strictSame(started(8_000), ['last-wrong'], 'the start of its process counts');
  t.strictSame(all(19_000, 19_100, 'sh-b'), ['share-home']);
  const m = measured();
  t.strictSame(missed({ ...m, home: { ...m.home, code: 1 } }), ['share-home'], 'the command failed');
  t.match(missed({ ...m, samples: m.samples.slice(0, 8_000) }), ['requests']);
});

t.test('the control proves it only where nobody comes home', async (t) => {
  const control = (m: M) => judgeEvacuateControl(m, verdictOf(judgeEvacuate(m)));
  const dead = ({ due }: Sample) => due >= 12_010 && due < 15_000;
  t.strictSame(control(measured((sample) => (dead(sample) ? failing : {}))), []);
  t.match(control(measured()), [/only 0 of \d+ failed/]);
  t.match(control(measured((sample) => (dead(sample) || sample.due === 1_000 ? failing : {}))), [
    /1 requests failed before/,
  ]);
});

t.test('it is planned for both runs', async (t) => {
  const plan = (unprotected: boolean) => evacuateDrill.plan({ flags: {}, unprotected, quick: false });
  t.strictSame(Object.keys(plan(false).phases), [
    ...['steady', '10 %', '50 %', '100 %', 'stand-in dead', 'recovery', 'steady again'],
  ]);
  t.not(plan(true).label, plan(false).label);
});
