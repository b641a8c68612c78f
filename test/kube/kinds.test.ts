import t from 'tap';
import { idc, service, workload } from '../registry/objects.ts';
import { KubeApi, limitedToken, withoutKube } from '../support/kube/kube-api.ts';
import { collectionOf, defineKinds, pathOf, putObject, undefineKind } from '../support/kube/kube-kinds.ts';
import { watchWorld } from '../support/kube/kube-world.ts';

const rule = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'DestinationRule',
  metadata: { name: 'r', namespace: 'shop' },
  spec: { host: 'a.example' },
};

t.test('kinds that come and go', { skip: withoutKube }, async (t) => {
  const api = await KubeApi.start(t);
  await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
  const { seen, source, started } = watchWorld(t, api.kubeconfig());
  await started;
  const missing = () => seen.current().filter(({ code }) => code === 'KindMissing');
  const names = () => [...source.objects()].map(({ kind, meta }) => `${kind}/${meta.name}`).sort();

  t.test('none is there at the start: synced, and told what to apply', async (t) => {
    t.strictSame(seen.log(), ['synced']);
    t.equal(missing().length, 6);
    t.match(
      missing()[0]?.message,
      /no idcs\.isthmus\.dev \(v1alpha1\): apply Isthmus' CustomResourceDefinitions/,
    );
  });

  t.test('added later: read, an older version of Istio too', async (t) => {
    await defineKinds(api, ['Idc', 'DestinationRule', 'WorkloadEntry']);
    await defineKinds(api, ['ServiceEntry'], ['v1beta1']);
    await putObject(api, idc('sh-a'));
    for (const object of [rule, workload('w-1'), workload('w-2')]) await putObject(api, object);
    const { spec, metadata } = service('s', 'a.example');
    const old = { apiVersion: 'networking.istio.io/v1beta1', kind: 'ServiceEntry', metadata, spec };
    await api.must('POST', collectionOf('ServiceEntry', 'shop', ['v1beta1']), old);
    await seen.until('all', () => names().length === 5);
    await seen.until('that they are there', () => missing().length === 2);
    t.strictSame(names(), [
      ...['DestinationRule/r', 'Idc/sh-a', 'ServiceEntry/s', 'WorkloadEntry/w-1', 'WorkloadEntry/w-2'],
    ]);
  });

  t.test('a definition is deleted with its objects: the kind is gone, not its objects', async (t) => {
    await undefineKind(api, 'DestinationRule');
    await seen.until('that it is gone', () =>
      missing().some(({ message }) => message.includes('destinationrules')),
    );
    const [told] = missing().filter(({ message }) => message.includes('destinationrules'));
    t.match(told, { severity: 'error', message: /The 1 that there were stay in force/ });
    t.equal(seen.count('-DestinationRule/shop/r'), 0);
    t.ok(names().includes('DestinationRule/r'));
  });

  t.test(
    'it is back, empty: its objects stay until they are back too, or their end is confirmed',
    async (t) => {
      await defineKinds(api, ['DestinationRule']);
      await seen.until('that they are missing', () =>
        seen.errors().some(({ code }) => code === 'DeletionsHeld'),
      );
      t.match(
        seen.errors().find(({ code }) => code === 'DeletionsHeld')?.message,
        /1 DestinationRules went with/,
      );
      t.equal(seen.count('-DestinationRule/shop/r'), 0);
      const guard = source.facets.deletionGuard;
      t.equal(guard !== 'none' && guard.confirm(), 1);
      t.equal(seen.count('-DestinationRule/shop/r'), 1);
      t.strictSame(seen.errors(), []);
    },
  );

  t.test('negative control: an object that is deleted while its kind stays goes', async () => {
    await putObject(api, rule);
    await seen.until('it', () => seen.count('+DestinationRule/shop/r') === 2);
    await api.must('DELETE', pathOf(rule));
    await seen.until('its deletion', () => seen.count('-DestinationRule/shop/r') === 2);
  });

  t.test('most instances deleted at once: the rest is held, until it is confirmed', async (t) => {
    for (let at = 3; at <= 30; at += 1) await putObject(api, workload(`w-${at}`));
    const instances = () => names().filter((name) => name.startsWith('WorkloadEntry')).length;
    await seen.until('all', () => instances() === 30);
    await api.must('DELETE', collectionOf('WorkloadEntry', 'shop'));
    // What is confirmed is what is held by then: the events of all deletions must have come.
    const held = () => seen.errors().find(({ code }) => code === 'DeletionsHeld')?.message ?? '';
    await seen.until('that all of the rest is held', () => Number.parseInt(held(), 10) === instances());
    t.ok(instances() >= 10, `${instances()} stay`);
    const guard = source.facets.deletionGuard;
    t.ok(guard !== 'none' && guard.confirm() > 0);
    await seen.until('the end of all', () => instances() === 0);
  });
});

t.test('rights', { skip: withoutKube }, async (t) => {
  const api = await KubeApi.start(t);
  await defineKinds(api);
  await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
  await putObject(api, workload('w-1'));
  const allow = async (resources: readonly string[]) => {
    const role = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' };
    const roles = '/apis/rbac.authorization.k8s.io/v1/clusterroles';
    const rules = [
      { apiGroups: ['isthmus.dev', 'networking.istio.io'], resources, verbs: ['list', 'watch'] },
    ];
    await api.must('POST', roles, { metadata: { name: 'reader' }, rules }, [409]);
    await api.must('PATCH', `${roles}/reader`, { rules });
    const subjects = [{ kind: 'User', apiGroup: role.apiGroup, name: 'limited' }];
    const bindings = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';
    await api.must('POST', bindings, { metadata: { name: 'reader' }, roleRef: role, subjects }, [409]);
  };
  const others = ['idcs', 'drgroups', 'evacuations', 'serviceentries', 'destinationrules'];
  await allow(others);
  const { seen, started } = watchWorld(t, api.kubeconfig({ token: limitedToken }));

  t.test('a verb that is lacking is named with the line of the role, and not passed over', async (t) => {
    await seen.until('the refusal', () => seen.errors().length > 0);
    t.match(
      seen.errors()[0]?.message,
      /watch workloadentries\.networking\.istio\.io: 403 .*add to its ClusterRole: \{apiGroups: \["networking\.istio\.io"\], resources: \["workloadentries"\], verbs: \[list, watch\]\}/,
    );
    t.equal(seen.count('synced'), 0, 'a part of the mesh is not the mesh');
  });

  t.test('no other right is needed', async (t) => {
    await allow([...others, 'workloadentries']);
    await started;
    t.strictSame(seen.log(), ['+WorkloadEntry/shop/w-1', 'synced']);
    t.strictSame(seen.errors(), []);
  });
});
