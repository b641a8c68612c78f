import t from 'tap';
import type { LoopMeasurement } from '../../../src/drill/drills/loop/facts.ts';
import { onceRows } from '../../../src/drill/drills/loop/once.ts';
import { preferenceRow, relayedRow } from '../../../src/drill/drills/loop/preference.ts';
import { judgeLoopControl, loopRows } from '../../../src/drill/drills/loop/rows.ts';
import { circlesOf } from '../../../src/drill/judge/circles.ts';
import { verdictOf } from '../../../src/drill/judge/verdict.ts';
import type { Sample } from '../../../src/drill/load/sample.ts';
import type { AccessLine } from '../../../src/drill/measure/measurement.ts';
import { goodLoop, lineOf } from './loop-fixture.ts';

const good = goodLoop();
const rowsOf = (m: LoopMeasurement) => loopRows(m, { crossings: 1, entries: 4 });
const missed = (m: LoopMeasurement) =>
  rowsOf(m)
    .filter((row) => !row.ok)
    .map((row) => row.id);
const withSamples = (change: (s: Sample) => Partial<Sample> | undefined, m = good): LoopMeasurement => ({
  ...m,
  samples: m.samples.map((s) => ({ ...s, ...change(s) })),
});
const withLines = (...lines: AccessLine[]): LoopMeasurement => ({
  ...good,
  access: [...good.access, ...lines],
});
/** The measurement with what the filters counted made to agree with its access log. */
const counting = (m: LoopMeasurement, extra: Readonly<Record<string, number>>): LoopMeasurement => {
  const before = m.counted.get('sh-b/ingress-1') ?? new Map<string, number>();
  const counted = new Map(before);
  for (const [name, count] of Object.entries(extra)) counted.set(name, (counted.get(name) ?? 0) + count);
  return { ...m, counted: new Map([...m.counted, ['sh-b/ingress-1', counted]]) };
};

t.test('a loop drill in which all went well passes', async (t) => {
  t.same(missed(good), []);
  t.match(circlesOf(good), { crossed: 200, entries: 200, most: 1, mostEntries: 1, byCrossings: { 1: 200 } });
});

t.test('what nobody could serve must be refused, in words, and soon', async (t) => {
  const one = (change: Partial<Sample>) => withSamples((s) => (s.due === 4000 ? change : undefined));
  const { outcome, ...without } = good.samples.find((s) => s.due === 4000) as Sample;
  const mute = { ...good, samples: good.samples.map((s) => (s.due === 4000 ? without : s)) };
  t.same(missed(mute), ['refused-in-words'], 'a 503 that does not say why');
  t.same(missed(one({ status: 504, error: 'status 504' })), ['success-rate', 'refused-in-words']);
  t.same(missed(one({ end: 5001 })), ['refused-soon']);
  t.same(missed(one({ end: 5000 })), []);
});

t.test('a refusal where an instance lives is a failure', async (t) => {
  const refused = { status: 503, error: 'status 503', outcome: 'no-idc', idc: '', instance: '' };
  const before = withSamples((s) => (s.due === 2000 ? refused : undefined));
  t.ok(missed(before).includes('success-rate'));
  const late = withSamples((s) => (s.due === 11_800 ? refused : undefined));
  t.same(
    missed(late).filter((id) => !id.startsWith('reconcile')),
    ['success-rate'],
    '5.00 s after, in steady again',
  );
  t.same(missed({ ...good, healthyAt: Number.NaN }), ['return'], 'never healthy');
  t.same(missed({ ...good, healthyAt: 1900 }), ['return'], 'refused for 5.08 s more');
});

t.test('instances that were down serve nothing; without a crossing nothing was shown', async (t) => {
  const entry = { at: 4000, id: 'caller-sh-a:200', method: 'GET', path: '/', leaked: [] };
  const served = { ...good, entries: new Map([...good.entries, ['sh-b/legacy-1', [entry]]]) };
  t.ok(missed(served).includes('struck-instances-silent'));
  t.ok(missed({ ...good, downs: [] }).includes('struck-instances-silent'));
  const still = {
    ...good,
    access: good.access.filter(({ listener }) => listener !== 'peer'),
    counted: new Map(),
  };
  t.ok(missed(still).includes('crossed'));
  t.ok(missed(still).includes('filter-counters'), 'no counter was read');
});

t.test('a request that runs in a circle: by its trail, and by where its id came in', async (t) => {
  const id = 'caller-sh-a:200';
  const back = lineOf('sh-a/ingress-1', 'peer', { id, at: 4000, trail: 'sh-a,sh-b,sh-a' });
  const m = withLines(back);
  t.same(circlesOf(m).twice, [id]);
  t.same(circlesOf(m).returned, [id]);
  for (const row of ['crossings', 'visited-twice', 'returned', 'filter-counters'])
    t.ok(missed(m).includes(row), row);
  const hidden = withLines({ ...back, trail: 'sh-b,sh-a' });
  t.same(circlesOf(hidden).twice, [], 'a trail that lies');
  t.ok(missed(hidden).includes('returned'));
  t.ok(missed(withLines({ ...back, trail: '' })).includes('crossings'), 'no trail at all');
});

t.test('a filter that had to refuse: the routes would have let it run on', async (t) => {
  const id = 'caller-sh-a:200';
  const line = lineOf('sh-b/ingress-1', 'peer', { id, status: 508, outcome: 'loop', trail: 'sh-a' });
  const counted = counting(withLines(line), { 'ingress-peer.peer.sh-a.loop_rejected': 1 });
  t.same(
    missed(counted).filter((row) => !row.startsWith('reconcile')),
    ['turned-away'],
  );
  t.ok(missed(withLines(line)).includes('filter-counters'), 'not counted');
});

t.test('counters: each gateway, each peer, and no VM that was started anew', async (t) => {
  t.same(missed(counting(good, { 'ingress-peer.peer.sh-a.hops': 1 })), ['filter-counters']);
  t.same(missed(counting(good, { 'ingress-peer.peer._unknown.hops': 1 })), ['filter-counters']);
  t.same(missed(counting(good, { vm_reload: 1 })), ['filter-restarts']);
});

t.test('tries of one request may enter another IDC so often, and not more', async (t) => {
  const id = 'caller-sh-a:200';
  const again = (count: number) => {
    const lines = Array.from({ length: count }, () =>
      lineOf('sh-b/ingress-1', 'peer', { id, trail: 'sh-a,sh-b', status: 503 }),
    );
    return counting(withLines(...lines), { 'ingress-peer.peer.sh-a.hops': count });
  };
  t.notOk(missed(again(3)).includes('entries'));
  t.ok(missed(again(4)).includes('entries'));
});

t.test('with one other IDC no request crosses again once it was told that nobody is there', async (t) => {
  const missedOnce = (m: LoopMeasurement) =>
    onceRows(m)
      .filter((row) => !row.ok)
      .map((row) => row.id);
  const told = { ...good, hopeless: { from: 2000, to: 6000 } };
  t.same(missedOnce(told), ['crossed-again'], 'nobody was told so: nothing was shown');
  const access = told.access.map((line) =>
    line.listener === 'peer' ? { ...line, flags: 'UH', durationMs: 5 } : line,
  );
  const well = { ...told, access };
  t.same(missedOnce(well), []);
  const line = (due: number, at: number, more: Partial<AccessLine> = {}) => {
    const id = `caller-sh-a:${due / 20}`;
    return lineOf('sh-b/ingress-1', 'peer', { id, at, trail: 'sh-a,sh-b', status: 503, ...more });
  };
  const also = (...lines: AccessLine[]) => ({ ...well, access: [...access, ...lines] });
  t.same(missedOnce(also(line(4000, 4005))), ['crossed-again'], 'while not everybody knows');
  t.same(missedOnce(also(line(4000, 4004))), [], 'a try beside the first, which was slow');
  t.same(missedOnce(also(line(4000, 3990, { flags: 'UF' }))), [], 'the first one could not be reached');
  t.same(missedOnce(also(line(5500, 5490, { flags: 'UF' }))), ['crossed-more-than-once'], 'when all know');
});

/** All that crosses while nobody can serve it goes to and fro. */
function circling(share = 1): LoopMeasurement {
  const crossing = good.access.filter(({ listener }) => listener === 'peer');
  const lines = crossing
    .filter((_, i) => i < share * crossing.length)
    .map(({ id, at }) => lineOf('sh-a/ingress-1', 'peer', { id, at, trail: 'sh-a,sh-b,sh-a', status: 503 }));
  return withLines(...lines);
}
const against = (m: LoopMeasurement) => judgeLoopControl(m, verdictOf(rowsOf(m)));

t.test('the negative control must show circles, half of what crosses at least', async (t) => {
  t.same(against(circling()), []);
  t.match(against(good), [
    /no request visited an IDC twice/,
    /no request returned/,
    /only 0 of 137 requests/,
  ]);
  t.match(against(circling(0.4)), [/in vain looped/]);
  const broken = withSamples((s) => (s.due < 1000 ? { status: 500, error: '500' } : undefined), circling());
  t.match(against(broken), [/before the fault only/]);
});

t.test('three IDCs: two crossings, and who should serve', async (t) => {
  t.equal(relayedRow(good, 2).ok, false);
  const id = 'caller-sh-a:20';
  const relay = lineOf('gz-c/ingress-1', 'peer', { id, trail: 'sh-a,bj-b,gz-c' });
  t.equal(relayedRow(withLines(relay), 2).ok, true);
  t.equal(relayedRow(withLines({ ...relay, status: 503 }), 2).ok, false);
  const order = { 'sh-a': ['sh-a', 'sh-b'] };
  t.equal(preferenceRow(good, order, { steady: ['sh-a', 'sh-b'] }).ok, true);
  t.match(preferenceRow(good, order, { steady: ['sh-b'] }), { ok: false, measured: '0 % (steady)' });
  t.match(preferenceRow(good, order, { siesta: ['sh-a'] }), { ok: false, measured: '0 % (siesta)' });
});
