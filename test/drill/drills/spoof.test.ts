import t from 'tap';
import { attacks } from '../../../src/drill/drills/spoof/attacks.ts';
import { parseAnswer } from '../../../src/drill/drills/spoof/client.ts';
import type { Attempt, SpoofMeasurement } from '../../../src/drill/drills/spoof/facts.ts';
import { judgeSpoofControl, spoofRows } from '../../../src/drill/drills/spoof/rows.ts';
import { verdictOf } from '../../../src/drill/judge/verdict.ts';
import type { AccessLine } from '../../../src/drill/measure/measurement.ts';
import { goodLoop, lineOf } from './loop-fixture.ts';

const doors = [
  { name: 'edge of sh-a/ingress-1', listener: 'edge' },
  { name: 'sidecar of sh-a/caller', listener: 'outbound' },
];

/**
 * All kinds once at each door for each Group, each with the answer that it must get; the load beside is
 * served at home.
 */
function goodSpoof(): SpoofMeasurement {
  const { samples, access, counted, ...rest } = goodLoop();
  const steady = samples.filter((s) => s.status === 200);
  const attempts: Attempt[] = [];
  const lines: AccessLine[] = [];
  let [spoofedEdge, spoofedSidecar, hops] = [0, 0, 0];
  for (const door of doors) {
    for (const far of [false, true]) {
      for (const attack of attacks) {
        const id = `hostile:${attempts.length}`;
        const served = attack.expect === 'served';
        const idc = far ? 'sh-b' : 'sh-a';
        const answer = served
          ? { status: 200, idc, outcome: '', leaked: [] }
          : { status: 400, idc: '', outcome: '', leaked: [] };
        attempts.push({ id, attack: attack.name, door, far, answer });
        if (!served) continue;
        lines.push(
          lineOf(door.listener === 'edge' ? 'sh-a/ingress-1' : 'sh-a/caller', door.listener, { id }),
        );
        if (door.listener === 'edge' && attack.spoofs) spoofedEdge += 1;
        if (!far) continue;
        lines.push(
          lineOf('sh-a/egress-1', door.listener === 'edge' ? 'ingress' : 'sidecar', { id, trail: 'sh-a' }),
        );
        lines.push(lineOf('sh-b/ingress-1', 'peer', { id, trail: 'sh-a,sh-b' }));
        hops += 1;
        if (door.listener === 'outbound' && attack.spoofs) spoofedSidecar += 1;
      }
    }
  }
  return {
    ...rest,
    streams: rest.streams.map((facts) => ({ ...facts, planned: steady.length })),
    samples: steady,
    access: access.filter((line) => line.status === 200),
    counters: [{ proxy: 'sh-a/caller', listener: 'any', before: 400, lines: 400, after: 400 }],
    listeners: ['sh-a/caller any'],
    attempts,
    lines,
    reached: new Map([
      ['sh-a/checkout-1', [{ at: 1, id: 'hostile:0', method: 'GET', path: '/', leaked: [] }]],
    ]),
    counted: new Map([
      ['sh-a/ingress-1', new Map([['ingress-edge.trail_spoofed', spoofedEdge]])],
      ['sh-a/egress-1', new Map([['egress-sidecar.trail_spoofed', spoofedSidecar]])],
      ['sh-b/ingress-1', new Map([['ingress-peer.peer.sh-a.hops', hops]])],
    ]),
  };
}

const good = goodSpoof();
const missed = (m: SpoofMeasurement) =>
  spoofRows(m)
    .filter((row) => !row.ok)
    .map((row) => row.id);
const withAttempt = (
  which: (a: Attempt) => boolean,
  answer: Partial<Attempt['answer']>,
): SpoofMeasurement => {
  const at = good.attempts.findIndex(which);
  const attempt = good.attempts[at] as Attempt;
  return {
    ...good,
    attempts: good.attempts.with(at, { ...attempt, answer: { ...attempt.answer, ...answer } }),
  };
};
const isServed = ({ attack }: Attempt) => attacks.find(({ name }) => name === attack)?.expect === 'served';

t.test('hostile requests that all got what they must pass', async (t) => {
  t.same(missed(good), []);
});

t.test('each kind at each door, or the drill shows less than it says', async (t) => {
  t.ok(missed({ ...good, attempts: good.attempts.slice(1) }).includes('attacked'));
  t.ok(missed({ ...good, attempts: [] }).includes('attacked'));
});

t.test('a forged trail that was believed: refused, or served by another IDC', async (t) => {
  t.same(missed(withAttempt(isServed, { status: 508, idc: '', outcome: 'loop' })), ['served-as-others']);
  t.same(missed(withAttempt((a) => isServed(a) && !a.far, { idc: 'sh-b' })), ['served-as-others']);
});

t.test('what is no HTTP and was served, or reached an instance', async (t) => {
  const isBad = (a: Attempt) => !isServed(a);
  t.same(missed(withAttempt(isBad, { status: 200 })), ['rejected']);
  t.same(missed(withAttempt(isBad, { status: 0 })), [], 'a connection that was closed');
  const { id } = good.attempts.find(isBad) as Attempt;
  const entry = { at: 1, id, method: 'GET', path: '/', leaked: [] };
  t.same(missed({ ...good, reached: new Map([['sh-a/checkout-1', [entry]]]) }), ['rejected']);
});

t.test('crossings: none for what is near, one with an honest trail for what is far', async (t) => {
  const near = good.attempts.find((a) => isServed(a) && !a.far) as Attempt;
  const crossed = lineOf('sh-b/ingress-1', 'peer', { id: near.id, trail: 'sh-a,sh-b' });
  t.same(missed({ ...good, lines: [...good.lines, crossed] }), ['near-stays', 'filter-counters']);
  const at = good.lines.findIndex(({ listener }) => listener === 'peer');
  const lie = { ...(good.lines[at] as AccessLine), trail: 'bj-b,sh-a,sh-b' };
  t.same(missed({ ...good, lines: good.lines.with(at, lie) }), ['far-crosses-once']);
  t.same(missed({ ...good, lines: good.lines.toSpliced(at, 1) }), ['far-crosses-once', 'filter-counters']);
});

t.test('what was sent is what was counted', async (t) => {
  const counted = (gateway: string, name: string, count: number) => ({
    ...good,
    counted: new Map([...good.counted, [gateway, new Map([[name, count]])]]),
  });
  t.same(missed(counted('sh-a/ingress-1', 'ingress-edge.trail_spoofed', 1)), ['spoofed-edge']);
  t.same(missed(counted('sh-a/egress-1', 'egress-sidecar.trail_spoofed', 1)), ['spoofed-sidecar']);
  t.ok(missed({ ...good, counted: new Map() }).includes('filter-restarts'), 'nothing was read');
});

t.test('headers of the mesh that reach an application, or come back', async (t) => {
  const entry = { at: 1, id: 'hostile:0', method: 'GET', path: '/', leaked: ['x-isthmus-visited'] };
  t.same(missed({ ...good, reached: new Map([['sh-a/checkout-1', [entry]]]) }), ['nothing-leaks']);
  t.same(missed(withAttempt(isServed, { leaked: ['x-isthmus-outcome'] })), ['nothing-leaks']);
});

t.test('the negative control: where trails are believed, forged ones have an effect', async (t) => {
  const against = (m: SpoofMeasurement) => judgeSpoofControl(m, verdictOf(spoofRows(m)));
  t.match(against(good), [/served like all others/, /^only 0 % of \d+ forged trails/]);
  const believed = {
    ...good,
    attempts: good.attempts.map((a) => ({ ...a, answer: { ...a.answer, status: 508, outcome: 'loop' } })),
  };
  t.same(against(believed), []);
  t.match(against({ ...believed, samples: [] }), ['the normal load failed']);
});

t.test('an answer is read from its bytes', async (t) => {
  const head = 'HTTP/1.1 200 OK\r\nX-Drill-Idc: sh-a\r\nx-isthmus-trail: sh-a\r\n\r\n{}';
  t.same(parseAnswer(head), { status: 200, idc: 'sh-a', outcome: '', leaked: ['x-isthmus-trail'] });
  t.match(parseAnswer('HTTP/1.1 508 Loop Detected\r\nx-isthmus-outcome: loop\r\n\r\n'), {
    status: 508,
    outcome: 'loop',
  });
  t.match(parseAnswer(''), { status: 0 });
});
