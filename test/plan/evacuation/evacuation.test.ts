import t from 'tap';
import { createIndex } from '../../../src/index/store.ts';
import type { Evacuation } from '../../../src/model/evacuation.ts';
import { evacuationsChangeAt } from '../../../src/plan/evacuation/evacuation.ts';
import { createPlanner } from '../../../src/plan/planner.ts';
import type { GroupPlan } from '../../../src/plan/types.ts';
import { deletes, drGroup, idc, meta, serviceEntry, upserts } from '../../index/fixture.ts';

const shop = ['a.shop', 'b.shop'];
const standard = drGroup('all', shop, undefined, ['sh-a', 'sh-b', 'sh-c']);
const group = { ...standard, spec: { ...standard.spec, hopLimit: 2 } };
const world = [
  ...['sh-a', 'sh-b', 'sh-c'].map((name) => idc(name)),
  group,
  ...[...shop, 'lone.shop'].map((host) =>
    serviceEntry(`test/${host}`, [host], {
      endpoints: ['sh-a', 'sh-b', 'sh-c'].map((place, i) => ({
        ...{ address: `10.0.${i}.1`, ports: {}, labels: {}, locality: `${place}/z1` },
      })),
    }),
  ),
];

function evacuation(name: string, spec: Partial<Evacuation['spec']> = {}): Evacuation {
  const all = { idc: 'sh-a', groups: [], percent: 100, expiresAt: 10_000, steps: [], stepMs: 1_000 };
  return { kind: 'Evacuation', meta: meta(name), spec: { ...all, ...spec } };
}

/** A control plane's view and plans of a mesh with these evacuations. */
function mesh(own: string, ...evacuations: readonly Evacuation[]) {
  const index = createIndex({ idc: own });
  const planner = createPlanner({ localIdc: own, hopLimit: 4, loopPrevention: 'on' });
  const plans = new Map<string, GroupPlan>();
  const take = (delta: Parameters<typeof planner.update>[1], wallMs: number) => {
    const planned = planner.update(index.view(), delta, wallMs);
    for (const [host, [plan]] of planned) if (plan) plans.set(host, plan);
    return [...planned.keys()].sort();
  };
  take(index.apply(upserts(...world, ...evacuations)), 0);
  return {
    apply: (changes: Parameters<typeof index.apply>[0], wallMs = 0) => take(index.apply(changes), wallMs),
    at: (wallMs: number) => take({ groups: new Set(), idcs: new Set() }, wallMs),
    nextAt: (wallMs: number) => evacuationsChangeAt(index.view(), wallMs),
    plan: (host: string) => plans.get(host) as GroupPlan,
  };
}

const order = ({ crossing }: GroupPlan) => crossing?.idcs.map(({ idc, priority }) => `${idc} ${priority}`);
const lastResorts = ({ instances }: GroupPlan) => instances.filter((one) => one.lastResort).length;

t.test(
  'the IDC that is left keeps the rest; its instances are the last resort when nothing is to stay',
  async (t) => {
    const part = mesh('sh-a', evacuation('e', { percent: 30 })).plan('a.shop');
    t.equal(part.localShare, 70);
    t.equal(lastResorts(part), 0);
    const all = mesh('sh-a', evacuation('e')).plan('a.shop');
    t.equal(all.localShare, 0);
    t.equal(lastResorts(all), 1);
    const none = mesh('sh-a').plan('a.shop');
    t.equal(none.localShare, undefined);
    t.strictSame(order(none), ['sh-b 0', 'sh-c 1']);
    t.strictSame(order(all), order(none), 'it goes where it always did');
    t.ok(none.handOn, 'what comes from others may be handed on');
    t.equal(all.handOn, undefined, 'but not from where it came as a last resort');
  },
);

t.test('to the other IDCs it is the last of all, by order and by weight', async (t) => {
  for (const percent of [1, 100]) {
    const there = mesh('sh-c', evacuation('e', { percent })).plan('a.shop');
    t.strictSame(order(there), ['sh-b 0', 'sh-a 1']);
    t.equal(there.localShare, undefined);
    t.equal(lastResorts(there), 0);
    t.strictSame(
      there.crossing?.permits,
      mesh('sh-c').plan('a.shop').crossing?.permits,
      'where it may go stays',
    );
  }
  const weighted = mesh('sh-c', evacuation('e'));
  const weights = { 'sh-a': 50, 'sh-b': 50, 'sh-c': 0 };
  const idcs = Object.entries(weights).map(([name, weight]) => ({ name, weight }));
  weighted.apply(upserts({ ...group, spec: { ...group.spec, idcs } }));
  t.strictSame(order(weighted.plan('a.shop')), ['sh-b 0', 'sh-a 1']);
});

t.test('without another IDC no request leaves', async (t) => {
  const lone = mesh('sh-a', evacuation('e')).plan('lone.shop');
  t.equal(lone.localShare, undefined, 'no DR group');
  t.equal(lastResorts(lone), 0);
  const others = [evacuation('b', { idc: 'sh-b' }), evacuation('c', { idc: 'sh-c' })];
  t.equal(mesh('sh-a', evacuation('e'), ...others.slice(1)).plan('a.shop').localShare, 0, 'one is left');
  t.equal(mesh('sh-a', evacuation('e'), ...others).plan('a.shop').localShare, undefined, 'all are evacuated');
});

t.test('only the Groups that it is for, and of two the higher share', async (t) => {
  const one = mesh(
    'sh-a',
    evacuation('e', { groups: ['a.shop'], percent: 10 }),
    evacuation('f', { groups: ['a.*'] }),
  );
  t.equal(one.plan('a.shop').localShare, 90);
  t.equal(one.plan('b.shop').localShare, undefined);
  const two = mesh('sh-a', evacuation('e', { percent: 60 }), evacuation('f', { percent: 20 }));
  t.equal(two.plan('b.shop').localShare, 40);
});

t.test('it begins, goes on and ends by the clock, and plans what it concerns alone', async (t) => {
  const one = mesh('sh-a', evacuation('e', { groups: ['a.shop'], startsAt: 1_000, steps: [10] }));
  t.equal(one.plan('a.shop').localShare, undefined);
  const seen: unknown[] = [];
  for (let at = one.nextAt(0); at !== undefined; at = one.nextAt(at))
    seen.push([at, one.at(at), one.plan('a.shop').localShare]);
  t.strictSame(seen, [
    [1_000, ['a.shop'], 90],
    [2_000, ['a.shop'], 0],
    [10_000, ['a.shop'], undefined],
  ]);
  t.strictSame(one.at(11_000), [], 'nothing is planned twice');
});

t.test('deleting it ends it; a restart in the middle finds it as it was', async (t) => {
  const e = evacuation('e', { startsAt: 1_000, steps: [10, 50] });
  const one = mesh('sh-a', e);
  one.at(2_500);
  const again = mesh('sh-a');
  again.apply(upserts(e), 2_500);
  t.equal(one.plan('a.shop').localShare, 50);
  t.strictSame(again.plan('a.shop'), one.plan('a.shop'));
  t.strictSame(one.apply(deletes(e), 2_500), [...shop, 'lone.shop']);
  t.equal(one.plan('a.shop').localShare, undefined);
});

t.test('requests that stick leave by another order, as hashing knows no last resort', async (t) => {
  const one = mesh('sh-a', evacuation('e'));
  const policy = {
    hash: { by: { kind: 'header', name: 'x' }, table: { kind: 'ring', size: 1_024 } },
  } as const;
  const rule = {
    kind: 'DestinationRule',
    meta: meta('test/a'),
    spec: { host: 'a.shop', policy, portPolicies: {} },
  } as const;
  one.apply(upserts(rule));
  const kinds = (host: string) => one.plan(host).paths.outbound.priorities.map(({ kind }) => kind);
  t.strictSame(kinds('a.shop'), ['egress', 'instances']);
  t.equal(lastResorts(one.plan('a.shop')), 0);
  t.strictSame(kinds('b.shop'), ['instances', 'egress']);
  t.equal(lastResorts(one.plan('b.shop')), 1);
});
