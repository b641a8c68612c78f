import t from 'tap';
import type { DrGroup, Idc } from '../../src/model/idc.ts';
import type { Meta } from '../../src/model/meta.ts';
import type { LoopPrevention } from '../../src/model/trail.ts';
import { planCrossing } from '../../src/plan/crossing.ts';
import { checkIntervalMsMin, planAnswerMs, planCrossingCheck } from '../../src/plan/health/checks.ts';
import type { Crossing } from '../../src/plan/types.ts';

const meta = (name: string): Meta => ({ name, namespace: '', labels: {}, annotations: {}, origin: 'test' });

function mesh(names: string): ReadonlyMap<string, Idc> {
  const spec = {
    ingress: [{ address: '10.0.0.1', edgePort: 80, peerPort: 81 }],
    egress: [{ address: '10.0.0.2', sidecarPort: 90, ingressPort: 91 }],
  };
  return new Map([...names].map((name) => [name, { kind: 'Idc', meta: meta(name), spec }]));
}

/** IDCs that come last. */
interface Last {
  readonly evacuated?: ReadonlySet<string>;
  readonly hung?: ReadonlySet<string>;
}

interface Case {
  /** One letter for each IDC of the mesh, and of the DR group in order. */
  readonly mesh: string;
  readonly dr: string;
  readonly weights?: readonly number[];
  readonly own?: string;
  readonly meshHopLimit?: number;
  readonly hopLimit?: number;
  readonly loopPrevention?: LoopPrevention;
}

function drGroupOf(given: Case): DrGroup {
  return {
    kind: 'DrGroup',
    meta: meta('dr'),
    spec: {
      hosts: ['x.test'],
      idcs: [...given.dr].map((name, i) => {
        const weight = given.weights?.[i];
        return weight === undefined ? { name } : { name, weight };
      }),
      hopLimit: given.hopLimit ?? 4,
      traffic: {},
    },
  };
}

function crossing(given: Case, last: Last = {}): Crossing | undefined {
  return planCrossing({
    drGroup: drGroupOf(given),
    idcs: mesh(given.mesh),
    localIdc: given.own ?? 'a',
    hopLimit: given.meshHopLimit ?? 4,
    loopPrevention: given.loopPrevention ?? 'on',
    ...last,
  });
}

/** Permits in short: `a→bc ab→c`. */
function permits(given: Case): string {
  const list = crossing(given)?.permits ?? [];
  if (list === 'all') return 'all';
  return list.map(({ visited, to }) => `${visited.replaceAll(',', '')}→${to.join('')}`).join(' ');
}

t.test('a request may go to the IDCs of its DR group that it has not visited', async (t) => {
  t.equal(permits({ mesh: 'ab', dr: 'ab', hopLimit: 1 }), 'a→b');
  t.equal(permits({ mesh: 'ab', dr: 'ab', hopLimit: 4 }), 'a→b', 'two IDCs: after one crossing none is left');
  t.equal(permits({ mesh: 'abc', dr: 'cab', hopLimit: 1 }), 'a→cb', 'in the DR group’s order');
  t.equal(permits({ mesh: 'abc', dr: 'abc', hopLimit: 2 }), 'a→bc ab→c ac→b');
  t.equal(
    permits({ mesh: 'abc', dr: 'abc', hopLimit: 3 }),
    'a→bc ab→c ac→b',
    'the third crossing has no goal',
  );
  t.equal(permits({ mesh: 'abcd', dr: 'abc', hopLimit: 2 }), 'a→bc ab→c ac→b ad→bc', 'it may begin outside');
  t.equal(permits({ mesh: 'abcd', dr: 'bcd', hopLimit: 3 }), 'a→bcd', 'outside, nobody but own callers come');
});

t.test('the lower of the two hop limits holds; 0 keeps a Group at home', async (t) => {
  t.equal(permits({ mesh: 'abc', dr: 'abc', meshHopLimit: 1, hopLimit: 3 }), 'a→bc');
  t.equal(permits({ mesh: 'abc', dr: 'abc', meshHopLimit: 3, hopLimit: 1 }), 'a→bc');
  t.equal(crossing({ mesh: 'abc', dr: 'abc', hopLimit: 0 }), undefined);
  t.equal(crossing({ mesh: 'abc', dr: 'abc', meshHopLimit: 0 }), undefined);
});

t.test(
  'the sets are the sum over k < h of C(n−1, k), of which those that leave nobody are not needed',
  async (t) => {
    const choose = (n: number, k: number): number => (k === 0 ? 1 : (n * choose(n - 1, k - 1)) / k);
    for (const names of ['ab', 'abc', 'abcd', 'abcde', 'abcdef']) {
      for (const hopLimit of [1, 2, 3, 4]) {
        const n = names.length;
        const terms = Array.from({ length: Math.min(hopLimit, n - 1) }, (_, k) => choose(n - 1, k));
        const list = crossing({ mesh: names, dr: names, hopLimit })?.permits;
        t.equal(
          list?.length,
          terms.reduce((sum, term) => sum + term),
          `n = ${n}, h = ${hopLimit}`,
        );
      }
    }
    t.equal(crossing({ mesh: 'abcdef', dr: 'abcdef', hopLimit: 4 })?.permits.length, 26);
  },
);

t.test('which requests may be passed on', async (t) => {
  const namesMax = (given: Case) => crossing(given)?.handOnNamesMax;
  t.equal(namesMax({ mesh: 'abc', dr: 'abc', hopLimit: 1 }), undefined, 'nobody at hop limit 1');
  t.equal(namesMax({ mesh: 'abc', dr: 'abc', hopLimit: 2 }), 2, 'who came straight from where it began');
  t.equal(namesMax({ mesh: 'abcd', dr: 'abcd', hopLimit: 4 }), 3, 'while one of the DR group is left');
  t.equal(namesMax({ mesh: 'ab', dr: 'ab', hopLimit: 4 }), undefined, 'of two, none is left');
  t.equal(namesMax({ mesh: 'abc', dr: 'ab', hopLimit: 2 }), 2, 'from outside to one, and on to the other');
  t.equal(namesMax({ mesh: 'abc', dr: 'bc', hopLimit: 2 }), undefined, 'nobody comes to who is outside');
});

t.test('in order, each IDC is a priority; by weight, those with weight share the first', async (t) => {
  t.strictSame(crossing({ mesh: 'abc', dr: 'cab' })?.idcs, [
    { idc: 'c', priority: 0 },
    { idc: 'b', priority: 1 },
  ]);
  t.strictSame(crossing({ mesh: 'abcde', dr: 'abcde', weights: [50, 30, 0, 20, 0] })?.idcs, [
    { idc: 'b', priority: 0, weight: 30 },
    { idc: 'd', priority: 0, weight: 20 },
    { idc: 'c', priority: 1 },
    { idc: 'e', priority: 2 },
  ]);
});

t.test('equal crossings of requests that are handed on have one name, whatever hangs', async (t) => {
  const of = (given: Partial<Case> = {}, last: Last = {}) =>
    crossing({ mesh: 'abcd', dr: 'abcd', hopLimit: 2, ...given }, last);
  const name = of()?.onward;
  t.match(name, /^b,c,d\/[0-9a-f]{12}$/);
  t.equal(of()?.onward, name, 'of another DR group');
  const hung = of({}, { hung: new Set(['b']) });
  t.strictSame(hung?.idcs.map(({ idc }) => idc).join(''), 'cdb');
  t.equal(hung?.onward, name);
  const evacuated = of({}, { evacuated: new Set(['b']) });
  t.equal(evacuated?.idcs.map(({ idc }) => idc).join(''), 'cdb');
  const others = [evacuated, of({ dr: 'acbd' }), of({ hopLimit: 3 }), of({ weights: [1, 1, 1, 1] })];
  t.equal(new Set([name, ...others.map((one) => one?.onward)]).size, 5, 'what differs has a name of its own');
  t.equal(of({ hopLimit: 1 })?.onward, undefined, 'nothing is handed on');
  t.equal(of({ dr: 'bcd' })?.onward, undefined, 'nor outside of the DR group');
  t.equal(of({ loopPrevention: 'off' })?.onward, undefined);
  t.equal(of()?.begun, 'a');
});

t.test('equal questions about one DR group get one object', async (t) => {
  const [idcs, drGroup] = [mesh('abc'), drGroupOf({ mesh: 'abc', dr: 'abc' })];
  const ask = (last: Last = {}, hopLimit = 2) =>
    planCrossing({ drGroup, idcs, localIdc: 'a', hopLimit, loopPrevention: 'on', ...last });
  t.equal(ask(), ask({ hung: new Set() }));
  t.not(ask(), ask({ hung: new Set(['b']) }));
  t.not(ask({ evacuated: new Set(['b']) }), ask({ hung: new Set(['b']) }));
  t.not(ask(), ask({}, 1));
});

t.test('without loop prevention everybody may go anywhere: for drills', async (t) => {
  const off = crossing({ mesh: 'ab', dr: 'ab', hopLimit: 1, loopPrevention: 'off' });
  t.match(off, { permits: 'all', handOnNamesMax: Number.POSITIVE_INFINITY });
});

t.test('checks stay within their budget, and their interval seldom changes', async (t) => {
  t.equal(checkIntervalMsMin(0), 0);
  t.equal(checkIntervalMsMin(60), 250, 'few Groups: as often as they say');
  t.equal(checkIntervalMsMin(250), 1_000);
  t.equal(checkIntervalMsMin(251), 2_000);
  t.equal(checkIntervalMsMin(1_000), 4_000);
  t.equal(checkIntervalMsMin(5_000), 32_000);
  const intervals = new Set(Array.from({ length: 10_000 }, (_, groups) => checkIntervalMsMin(groups)));
  t.equal([...intervals].filter((ms) => ms > 250).length, 8, 'eight that matter for up to 10,000 Groups');
  t.strictSame(planCrossingCheck(500, 0, 800), {
    intervalMs: 1_000,
    unhealthyIntervalMs: 250,
    timeoutMs: 2_400,
  });
  t.strictSame(planCrossingCheck(500, checkIntervalMsMin(31), 800).intervalMs, 1_000, 'few: as before');
  t.strictSame(planCrossingCheck(500, checkIntervalMsMin(1_000), 40), {
    intervalMs: 32_000,
    unhealthyIntervalMs: 4_000,
    timeoutMs: 2_080,
  });
  for (const interval of [200, 500, 5_000])
    t.ok(planAnswerMs(interval) < planCrossingCheck(interval, 0, 1).timeoutMs, 'an answer comes in time');
});
