import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t, { type Test } from 'tap';
import { seededRandom } from '../../src/base/random.ts';
import { readLabelSelector } from '../../src/model/values/label-selector.ts';
import { lossRule } from '../../src/registry/lastgood/loss-guard.ts';
import { idc, type RawObject, workload } from '../registry/objects.ts';
import { KubeApi, limitedToken, withoutKube } from '../support/kube/kube-api.ts';
import { collectionOf, defineKinds, pathOf, putObject } from '../support/kube/kube-kinds.ts';
import { watchWorld } from '../support/kube/kube-world.ts';
import { until } from '../support/mesh.ts';

const finalizer = 'isthmus.dev/propagated';
const discoveryNamespaces = 'mesh=on';

/** An instance in a namespace. */
function instance(namespace: string, name: string, finalizers: readonly string[] = []): RawObject {
  const object = workload(name);
  return { ...object, metadata: { ...object.metadata, namespace, finalizers } };
}

const word = (namespace: string, name: string) => `WorkloadEntry/${namespace}/${name}`;

t.test('namespaces that count', { skip: withoutKube }, async (t) => {
  const api = await KubeApi.start(t);
  await defineKinds(api);
  const label = (name: string, mesh: string | null) =>
    api.must('PATCH', `/api/v1/namespaces/${name}`, { metadata: { labels: { mesh } } });
  const add = async (name: string, mesh?: string) => {
    await api.must('POST', '/api/v1/namespaces', { metadata: { name, labels: mesh ? { mesh } : {} } });
  };
  const finalizersOf = async (namespace: string, name: string) => {
    const { status, body } = await api.call('GET', pathOf(instance(namespace, name)));
    return status === 404 ? 'gone' : (body as { metadata: { finalizers?: string[] } }).metadata.finalizers;
  };
  const namesOf = ({ source }: ReturnType<typeof watchWorld>) =>
    [...source.objects()].map(({ kind, meta }) => `${kind}/${meta.namespace}/${meta.name}`).sort();
  const open = async (t: Test, seam: Partial<Parameters<typeof watchWorld>[4]> = {}) => {
    const world = watchWorld(t, api.kubeconfig(), { strangerMs: 200 }, undefined, {
      ...{ discoveryNamespaces, ...seam },
    });
    await world.started;
    const { finalizers, deletionGuard } = world.source.facets;
    if (finalizers === 'none' || deletionGuard === 'none') throw new Error('it lacks a facet');
    const release = (namespace: string, name: string) =>
      finalizers.release({ kind: 'WorkloadEntry', namespace, name });
    return { ...world, release, confirm: () => deletionGuard.confirm() };
  };

  await add('in', 'on');
  await add('out');
  await putObject(api, idc('sh-a'));
  for (let at = 1; at <= 12; at += 1) await putObject(api, instance('in', `w-${at}`));
  await putObject(api, instance('out', 'w-1'));

  await t.test('objects of others are not there; those without a namespace are', async (t) => {
    const world = await open(t);
    t.equal(world.seen.count('+Idc//sh-a') + world.seen.count('+Idc/sh-a'), 1, world.seen.log().join());
    t.equal(world.seen.count(`+${word('in', 'w-1')}`), 1);
    t.equal(world.seen.count(`+${word('out', 'w-1')}`), 0);
    const all = watchWorld(t, api.kubeconfig());
    await all.started;
    t.equal(all.seen.count(`+${word('out', 'w-1')}`), 1, 'negative control: without a selector');
  });

  await t.test(
    'a namespace that gains the label adds its objects, one that loses it takes them',
    async (t) => {
      const world = await open(t);
      const { seen } = world;
      await label('out', 'on');
      await seen.until('its object', () => seen.count(`+${word('out', 'w-1')}`) === 1);
      await putObject(api, instance('out', 'w-2'));
      await seen.until('a later one', () => seen.count(`+${word('out', 'w-2')}`) === 1);
      await label('out', null);
      await seen.until('their end', () => namesOf(world).every((name) => !name.includes('/out/')));
      t.equal(seen.count(`-${word('out', 'w-1')}`), 1);
      t.equal(seen.count(`-${word('out', 'w-2')}`), 1);
      t.equal(seen.log().filter((entry) => entry.includes('/in/')).length, 12, 'nothing else was touched');
      t.strictSame(seen.errors(), []);
      await api.must('DELETE', pathOf(instance('out', 'w-2')));
    },
  );

  await t.test('negative control: what was passed over is not there if it is not read anew', async (t) => {
    const { seen } = await open(t, { completesSelections: false });
    await label('out', 'on');
    await putObject(api, instance('out', 'w-3'));
    await seen.until('a later one', () => seen.count(`+${word('out', 'w-3')}`) === 1);
    t.equal(seen.count(`+${word('out', 'w-1')}`), 0);
    await label('out', null);
    await api.must('DELETE', pathOf(instance('out', 'w-3')));
  });

  await t.test(
    'an object of a namespace that is deselected keeps its finalizer: it is not deleted',
    async (t) => {
      await label('out', 'on');
      await putObject(api, instance('out', 'w-20', [finalizer]));
      await putObject(api, instance('out', 'w-21', [finalizer]));
      const { seen, release } = await open(t);
      await api.must('DELETE', pathOf(instance('out', 'w-21')));
      await seen.until('its deletion', () => seen.count(`-${word('out', 'w-21')}`) === 1);
      await label('out', null);
      await seen.until('the end of the other', () => seen.count(`-${word('out', 'w-20')}`) === 1);
      await release('out', 'w-20');
      t.strictSame(await finalizersOf('out', 'w-20'), [finalizer]);
      await release('out', 'w-21');
      t.equal(
        await finalizersOf('out', 'w-21'),
        'gone',
        'negative control: what was deleted before is released',
      );
      await api.must('DELETE', pathOf(instance('out', 'w-20')));
      await label('in', 'on');
      // Objects of `in` show that there was time for what was deleted in `out`.
      await putObject(api, instance('in', 'w-13'));
      await seen.until('another event', () => seen.count(`+${word('in', 'w-13')}`) === 1);
      await release('out', 'w-20');
      t.strictSame(await finalizersOf('out', 'w-20'), [finalizer], 'it may be of another control plane');
      await label('out', 'on');
      await until(
        'it is released once it counts',
        async () => (await finalizersOf('out', 'w-20')) === 'gone',
      );
      await label('out', null);
    },
  );

  await t.test(
    'a label taken off by mistake takes nothing at once: held, back, held, confirmed',
    async (t) => {
      const world = await open(t);
      const { seen, confirm } = world;
      const held = () => seen.errors().some(({ code }) => code === 'DeletionsHeld');
      const gone = () => seen.log().filter((entry) => entry.startsWith('-')).length;
      await label('in', 'off');
      await seen.until('that it is held', held);
      await label('in', 'on');
      await seen.until('that nothing is held', () => !held());
      t.equal(gone(), 0);
      t.equal(namesOf(world).filter((name) => name.includes('/in/')).length, 13);
      await label('in', 'off');
      await seen.until('that it is held again', held);
      t.equal(confirm(), 13);
      await seen.until('the end of all', () => gone() === 13);
      await label('in', 'on');
    },
  );

  await t.test('random labels and objects, at once: what counts in the end is what there is', async (t) => {
    const random = seededRandom(Number(process.env.SEED ?? 18));
    const pick = (count: number) => Math.floor(random() * count);
    const spaces = ['r-0', 'r-1', 'r-2', 'r-3'];
    for (const name of spaces) await add(name);
    // The guard has a test of its own.
    const world = await open(t, { loss: { ...lossRule, settleMs: 0, soleMs: 0, shareMax: 1 } });
    for (let step = 0; step < 300; step += 1) {
      const name = spaces[pick(spaces.length)] ?? '';
      const object = instance(name, `w-${pick(8)}`);
      const steps = [
        () => label(name, random() < 0.5 ? 'on' : null),
        () => putObject(api, object),
        () => api.must('DELETE', pathOf(object), undefined, [404]),
      ];
      // Not one after another: what is told of both is in no order.
      await Promise.all([steps[pick(3)]?.(), label(spaces[pick(4)] ?? '', random() < 0.5 ? 'on' : null)]);
    }
    const expected: string[] = [];
    const { items } = (await api.must('GET', '/api/v1/namespaces?labelSelector=mesh%3Don')) as Listed;
    for (const { metadata } of items) {
      const found = (await api.must('GET', collectionOf('WorkloadEntry', metadata.name))) as Listed;
      expected.push(...found.items.map((one) => word(metadata.name, one.metadata.name)));
    }
    const present = () => namesOf(world).filter((name) => name.startsWith('WorkloadEntry'));
    await world.seen.until('the same', () => present().join() === expected.sort().join());
    t.ok(
      expected.some((name) => name.includes('/r-')),
      `${expected}`,
    );
  });
});

t.test('what is filtered is not kept in memory', { skip: withoutKube }, async (t) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heap = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const api = await KubeApi.start(t);
  await defineKinds(api);
  for (const [name, mesh] of [
    ['in', 'on'],
    ['out', 'off'],
  ])
    await api.must('POST', '/api/v1/namespaces', { metadata: { name, labels: { mesh } } });
  await putObject(api, instance('in', 'w-1'));
  const path = collectionOf('WorkloadEntry', 'out');
  for (let at = 0; at < 3_000; at += 50)
    await Promise.all(
      Array.from({ length: 50 }, (_, more) => api.must('POST', path, instance('out', `w-${at + more}`))),
    );
  const grownBy = async (selector: string) => {
    const before = heap();
    const world = watchWorld(t, api.kubeconfig(), {}, undefined, { discoveryNamespaces: selector });
    await world.started;
    // Connections and code need some, too.
    const bytes = heap() - before;
    const count = [...world.source.objects()].length;
    world.stop();
    return { bytes, count };
  };
  await grownBy('mesh=on');
  const some = await grownBy('mesh=on');
  const all = await grownBy('mesh');
  t.strictSame([some.count, all.count], [1, 3_001]);
  t.ok(some.bytes < all.bytes / 5, `${some.bytes} of ${all.bytes} bytes`);
});

interface Listed {
  readonly items: readonly { readonly metadata: { readonly name: string } }[];
}

t.test(
  'selectors are refused if the API server refuses them, and only then',
  { skip: withoutKube },
  async (t) => {
    const api = await KubeApi.start(t);
    const long = 'a'.repeat(63);
    const good = [
      ...[
        'mesh=on',
        'mesh==on',
        'mesh!=on',
        'mesh',
        '!mesh',
        'mesh in (a,b)',
        'mesh notin ( a , b )',
        'a=,b',
      ],
      ...['example.com/mesh=on', 'a.b_c-D=1.2_3-X', `${long}=${long}`, ' mesh = on , env in (x)', '! mesh'],
      ...['kubernetes.io/metadata.name in (shop,pay)'],
    ];
    const bad = [
      ...[
        '',
        'mesh=on,',
        ',mesh',
        'mesh=on off',
        'mesh in a',
        'mesh in (a',
        '-mesh',
        'mesh=-x',
        'me/sh/x',
        '=on',
      ],
      ...[`${long}a=on`, `mesh=${long}a`, 'mesh=on;x', 'Example.com/mesh', '!mesh=on', 'mésh'],
    ];
    for (const selector of good) {
      const query = new URLSearchParams({ labelSelector: selector });
      t.equal((await api.call('GET', `/api/v1/namespaces?${query}`)).status, 200, selector);
      t.equal(readLabelSelector(selector), selector.trim());
    }
    for (const selector of bad) {
      const query = new URLSearchParams({ labelSelector: selector });
      const { status } = await api.call('GET', `/api/v1/namespaces?${query}`);
      // Nothing is no selector: it would be all, which is what it is without.
      t.equal(status, selector === '' ? 200 : 400, selector);
      t.throws(() => readLabelSelector(selector), { message: /is not a selector of labels/ }, selector);
    }
    t.throws(() => readLabelSelector('a,'.repeat(1_500)), { message: /at most 2000 characters/ });
  },
);

t.test('rights and order', { skip: withoutKube }, async (t) => {
  const api = await KubeApi.start(t);
  await defineKinds(api);
  await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'in', labels: { mesh: 'on' } } });
  await putObject(api, idc('sh-a'));
  await putObject(api, instance('in', 'w-1'));
  const roles = '/apis/rbac.authorization.k8s.io/v1/clusterroles';
  const kinds = {
    apiGroups: ['isthmus.dev', 'networking.istio.io'],
    resources: ['*'],
    verbs: ['list', 'watch'],
  };
  const namespaces = { apiGroups: [''], resources: ['namespaces'], verbs: ['list', 'watch'] };
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' };
  const subjects = [{ kind: 'User', apiGroup: roleRef.apiGroup, name: 'limited' }];
  await api.must('POST', roles, { metadata: { name: 'reader' }, rules: [kinds] });
  await api.must('POST', `${roles.replace('roles', 'rolebindings')}`, {
    ...{ metadata: { name: 'reader' }, roleRef, subjects },
  });
  const config = api.kubeconfig({ token: limitedToken });
  const { seen, started } = watchWorld(t, config, {}, undefined, { discoveryNamespaces });

  await t.test('until namespaces are known nothing in them is judged, and the right is named', async (t) => {
    await seen.until('the refusal', () => seen.errors().length > 0);
    t.match(
      seen.errors()[0]?.message,
      /watch namespaces: 403 .*add to its ClusterRole: \{apiGroups: \[""\], resources: \["namespaces"\], verbs: \[list, watch\]\}\. Since .* Namespace are/,
    );
    await seen.until('an object without a namespace', () => seen.log().length > 0);
    t.equal(seen.count('synced'), 0);
    t.equal(seen.count(`+${word('in', 'w-1')}`), 0);
  });

  await t.test('with it all is there', async (t) => {
    await api.must('PATCH', `${roles}/reader`, { rules: [kinds, namespaces] });
    await started;
    t.equal(seen.count(`+${word('in', 'w-1')}`), 1);
    t.equal(seen.log().at(-1), 'synced');
    t.strictSame(seen.errors(), []);
  });
});
