import t from 'tap';
import { workload } from '../registry/objects.ts';
import { finalizer, kept } from '../support/kube/joint-world.ts';
import { KubeApi, limitedToken, withoutKube } from '../support/kube/kube-api.ts';
import { defineKinds, pathOf, putObject } from '../support/kube/kube-kinds.ts';
import { watchWorld } from '../support/kube/kube-world.ts';
import { until } from '../support/mesh.ts';

t.test('rights to release finalizers together', { skip: withoutKube }, async (t) => {
  const api = await KubeApi.start(t);
  await defineKinds(api);
  await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
  await putObject(api, workload('w-9'));
  await putObject(api, kept('w-1'));
  const finalizersOf = async (name: string) => {
    const { status, body } = await api.call('GET', pathOf(workload(name)));
    return status === 404 ? 'gone' : (body as { metadata: { finalizers?: string[] } }).metadata.finalizers;
  };
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const role = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'limited' };
  const all = { apiGroups: ['isthmus.dev', 'networking.istio.io'], resources: ['*'] };
  const read = { ...all, verbs: ['list', 'watch', 'get', 'patch'] };
  const leases = { apiGroups: ['coordination.k8s.io'], resources: ['leases'] };
  const allow = (...verbs: string[]) =>
    api.must('PATCH', `${rbac}/clusterroles/limited`, { rules: [read, { ...leases, verbs }] });
  await api.must('POST', `${rbac}/clusterroles`, { metadata: { name: 'limited' }, rules: [read] });
  await api.must('POST', `${rbac}/clusterrolebindings`, {
    ...{ metadata: { name: 'limited' }, roleRef: role },
    subjects: [{ kind: 'User', apiGroup: role.apiGroup, name: 'limited' }],
  });
  // Another one of the IDC, which has ended a while ago.
  await api.must('POST', '/apis/coordination.k8s.io/v1/namespaces/default/leases', {
    metadata: { name: 'isthmus-replica-sh-a-gone', labels: { 'isthmus.dev/replica-of': 'sh-a' } },
    spec: { holderIdentity: 'gone', leaseDurationSeconds: 1 },
  });
  const file = api.kubeconfig({ token: limitedToken });
  const { seen, source, started } = watchWorld(t, file, {}, { identity: 'one' });
  await started;
  const { finalizers } = source.facets;
  if (finalizers === 'none') throw new Error('it finalizes nothing');
  const isTold = (severity: string, verb: string) => () =>
    seen
      .current()
      .some(
        (one) =>
          one.code === 'NotReleased' &&
          one.severity === severity &&
          one.message.includes(`resources: ["leases"], verbs: [${verb}]`),
      );

  await seen.until('the own Lease', isTold('warning', 'patch'));
  await seen.until('those of others', isTold('warning', 'list, watch'));
  await seen.until('that of the elected one', isTold('warning', 'get'));
  await api.must('DELETE', pathOf(workload('w-1')));
  await seen.until('the deletion', () => seen.count('-WorkloadEntry/shop/w-1') === 1);
  await finalizers.release({ kind: 'WorkloadEntry', namespace: 'shop', name: 'w-1' });
  await seen.until('an error as soon as something waits', isTold('error', 'list, watch'));
  await allow('get', 'create', 'update', 'patch');
  await seen.until(
    'only those of others',
    () => !isTold('error', 'patch')() && isTold('error', 'list, watch')(),
  );
  t.strictSame(await finalizersOf('w-1'), [finalizer], 'held: nobody knows who else has it');
  await allow('get', 'create', 'update', 'patch', 'list');
  await until('it is gone', async () => (await finalizersOf('w-1')) === 'gone');
  await seen.until('the Lease of the ended one', isTold('warning', 'delete'));
  await allow('get', 'create', 'update', 'patch', 'list', 'delete');
  await seen.until('nothing', () => seen.current().every(({ code }) => code !== 'NotReleased'));
});
