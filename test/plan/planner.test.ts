import { load } from 'js-yaml';
import t from 'tap';
import { createIndex } from '../../src/index/store.ts';
import type { Change } from '../../src/model/object.ts';
import { createPlanner, type PlannedGroups } from '../../src/plan/planner.ts';
import type { GroupPlan } from '../../src/plan/types.ts';
import { parseObject } from '../../src/registry/parse/object.ts';

// What an IDC takes from others, as instances and gateways come and go and critical Groups appear.

const idc = (name: string, ingress: readonly string[]) => ({
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'Idc',
  metadata: { name },
  spec: {
    ingress: ingress.map((address) => ({ address, edgePort: 80, peerPort: 81 })),
    egress: [{ address: '10.0.0.9', sidecarPort: 90, ingressPort: 91 }],
  },
});

/** A Group with four instances in sh-b, each of which bears ten requests. */
const group = (name: string, spec: object = {}, service: object = {}) => [
  {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'DrGroup',
    metadata: { name },
    spec: {
      hosts: [`${name}.test`],
      idcs: [{ name: 'sh-a' }, { name: 'sh-b' }],
      capacity: { concurrentPerInstance: 10 },
      ...spec,
    },
  },
  {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name, namespace: 'test' },
    spec: {
      hosts: [`${name}.test`],
      location: 'MESH_INTERNAL',
      resolution: 'STATIC',
      ports: [{ number: 80, name: 'main', protocol: 'HTTP' }],
      endpoints: [1, 2, 3, 4].map((n) => ({
        address: `10.1.0.${n}`,
        ports: { main: 8080 },
        locality: 'sh-b/z',
      })),
      ...service,
    },
  },
];

function world(...objects: readonly object[]) {
  const index = createIndex({ idc: 'sh-b' });
  const planner = createPlanner({ localIdc: 'sh-b', hopLimit: 1, loopPrevention: 'on' });
  const upsert = (raw: object): Change => {
    const { object, faults } = parseObject(load(JSON.stringify(raw)), 'test');
    if (object === undefined) throw new Error(JSON.stringify(faults));
    return { type: 'upsert', object, at: 0 };
  };
  const limits = new Map<string, number | undefined>();
  const order = new Map<string, readonly string[]>();
  const plans = new Map<string, readonly GroupPlan[]>();
  const note = (planned: PlannedGroups) => {
    for (const [host, all] of planned) {
      const [plan] = all;
      plans.set(host, all);
      limits.set(host, plan?.spill?.limit);
      const idcs = [...(plan?.crossing?.idcs ?? [])].sort((a, b) => a.priority - b.priority);
      order.set(
        host,
        idcs.map(({ idc }) => idc),
      );
    }
    return planned.size;
  };
  const apply = (changes: readonly Change[]) => note(planner.update(index.view(), index.apply(changes), 0));
  const save = (...more: readonly object[]) => {
    const delta = index.apply(more.map(upsert));
    return note(planner.update(index.view(), delta, 0));
  };
  save(idc('sh-a', ['10.0.0.1']), idc('sh-b', ['10.0.1.1', '10.0.1.2']), ...objects);
  return {
    limits,
    order,
    plans,
    save,
    apply,
    watched: () => planner.probeTargets(index.view()).map(({ address, port }) => `${address} ${port}`),
    unreached: (...dead: readonly string[]) =>
      note(planner.applyReach({ unreached: new Set(dead), silent: new Set() }, index.view())),
    silent: (...hung: readonly string[]) =>
      note(planner.applyReach({ unreached: new Set(hung), silent: new Set(hung) }, index.view())),
  };
}

t.test('instances and gateways that accept no connection', async (t) => {
  const { limits, unreached, watched } = world(...group('a'), ...group('b', { capacity: undefined }));
  t.strictSame(
    [...limits],
    [
      ['a.test', 20],
      ['b.test', undefined],
    ],
  );
  t.strictSame(watched(), [
    '10.0.1.1 81',
    '10.0.1.2 81',
    '10.1.0.1 8080',
    '10.1.0.2 8080',
    '10.1.0.3 8080',
    '10.1.0.4 8080',
  ]);
  t.equal(unreached('10.1.0.1 8080'), 1, 'what has no limit is not planned again');
  t.equal(limits.get('a.test'), 15);
  unreached('10.1.0.1 8080', '10.0.1.2 81');
  t.equal(limits.get('a.test'), 30);
  unreached('10.0.1.1 81', '10.0.1.2 81');
  t.equal(limits.get('a.test'), 20, 'where none is left who looked may be at fault');
  t.equal(unreached(), 1);
  t.equal(limits.get('a.test'), 20);
  t.equal(unreached('10.9.9.9 1'), 0);
});

t.test('an IDC that hangs is asked after the others', async (t) => {
  const three = { idcs: ['sh-b', 'sh-a', 'gz-c'].map((name) => ({ name })) };
  const { order, silent } = world(idc('gz-c', ['10.2.0.1']), ...group('a', three), ...group('b'));
  t.strictSame(order.get('a.test'), ['sh-a', 'gz-c']);
  t.equal(silent('10.0.0.1 81'), 1, 'who has no choice is not planned again');
  t.strictSame(order.get('a.test'), ['gz-c', 'sh-a']);
  t.equal(silent('10.0.0.1 81', '10.2.0.1 81'), 1);
  t.strictSame(order.get('a.test'), ['sh-a', 'gz-c'], 'all of them: as it was');
  t.equal(silent(), 1);
  t.equal(silent(), 0);
});

t.test('nothing is watched where nothing is limited', async (t) => {
  t.strictSame(world(...group('b', { capacity: undefined })).watched(), []);
});

t.test('a critical Group takes half of the share of the others, while it has instances here', async (t) => {
  const { limits, save } = world(...group('a'), ...group('b', { spill: { share: '50%' } }));
  t.strictSame([limits.get('a.test'), limits.get('b.test')], [20, 10]);
  save(...group('c', { class: 'critical' }));
  t.strictSame(
    ['a', 'b', 'c'].map((name) => limits.get(`${name}.test`)),
    [10, 5, 20],
  );
  save(...group('c', { class: 'critical' }, { endpoints: [{ address: '10.2.0.1', locality: 'sh-a/z' }] }));
  t.strictSame([limits.get('a.test'), limits.get('b.test')], [20, 10], 'there it is first, not here');
});

t.test('what has no limit whatever is declared', async (t) => {
  const limitOf = (spec: object, service: object) => world(...group('a', spec, service)).limits.get('a.test');
  t.equal(limitOf({ hopLimit: 0 }, {}), undefined);
  const tcp = { ports: [{ number: 3306, name: 'main', protocol: 'TCP' }] };
  t.equal(limitOf({}, tcp), undefined);
  t.equal(
    limitOf({}, { resolution: 'DNS', endpoints: [{ address: 'a.internal', locality: 'sh-b/z' }] }),
    undefined,
  );
});

t.test('what Groups have alike is one object in all of their plans', async (t) => {
  const { plans } = world(...group('one'), ...group('two'));
  const [one, two] = ['one.test', 'two.test'].map((host) => plans.get(host)?.[0]);
  for (const part of ['paths', 'crossing', 'connection', 'outlier'] as const) {
    t.ok(one?.[part], part);
    t.equal(one?.[part], two?.[part], part);
  }
  t.not(one?.group, two?.group);
});
