import t from 'tap';
import { systemClock as clock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { readKubeconfig } from '../../src/kube/config/kubeconfig.ts';
import { startControlPlane } from '../../src/plane/controlplane.ts';
import { createKubernetesSource } from '../../src/registry/kubernetes/kubernetes-source.ts';
import { keepLastGood } from '../../src/registry/lastgood/last-good-source.ts';
import { drGroup, idc, type RawObject } from '../registry/objects.ts';
import { KubeApi, limitedToken, withoutKube } from '../support/kube/kube-api.ts';
import { defineShippedKinds, pathOf, putObject } from '../support/kube/kube-kinds.ts';
import { quickStatus, quickTiming, watchWorld } from '../support/kube/kube-world.ts';
import { until } from '../support/mesh.ts';

t.test('rights for conditions', { skip: withoutKube }, async (t) => {
  const api = await KubeApi.start(t);
  await defineShippedKinds(api);
  await putObject(api, idc('sh-a'));
  const accepted = async (object: RawObject) => {
    const { status } = (await api.must('GET', pathOf(object))) as {
      status?: { conditions?: { status: string; reason: string }[] };
    };
    return status?.conditions?.[0];
  };
  const roles = '/apis/rbac.authorization.k8s.io/v1/clusterroles';
  const role = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' };
  const resources = [
    'idcs',
    'drgroups',
    'evacuations',
    'serviceentries',
    'workloadentries',
    'destinationrules',
  ];
  const read = { apiGroups: ['isthmus.dev', 'networking.istio.io'], resources, verbs: ['list', 'watch'] };
  const allow = (...rules: object[]) => api.must('PATCH', `${roles}/reader`, { rules: [read, ...rules] });
  await api.must('POST', roles, { metadata: { name: 'reader' }, rules: [read] });
  await api.must('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    ...{ metadata: { name: 'reader' }, roleRef: role },
    subjects: [{ kind: 'User', apiGroup: role.apiGroup, name: 'limited' }],
  });
  const lease = { apiGroups: ['coordination.k8s.io'], resources: ['leases'] };
  // The others are for the Leases of each control plane.
  const leaseVerbs = ['get', 'create', 'update', 'list', 'patch', 'delete'];
  const status = ['idcs/status', 'drgroups/status', 'evacuations/status'];

  await t.test('each that is lacking is told, with the line of the role; all else goes on', async (t) => {
    const { seen, started, source } = watchWorld(
      t,
      api.kubeconfig({ token: limitedToken }),
      {},
      { identity: 'one' },
    );
    await started;
    const { status: sink } = source.facets;
    if (sink !== 'none') sink.setStatuses(new Map());
    const toldOf = (word: string) => () =>
      seen.current().some(({ code, message }) => code === 'StatusNotWritten' && message.includes(word));
    const lines = (verb: string, resource: string, group: string) =>
      `add to its ClusterRole: {apiGroups: ["${group}"], resources: ["${resource}"], verbs: [${verb}]}`;
    await seen.until('the Lease', toldOf(lines('get', 'leases', 'coordination.k8s.io')));
    await allow({ ...lease, verbs: ['get'] });
    await seen.until('its creation', toldOf(lines('create', 'leases', 'coordination.k8s.io')));
    await allow({ ...lease, verbs: ['get', 'create'] });
    await seen.until('its renewal', toldOf(lines('update', 'leases', 'coordination.k8s.io')));
    await allow({ ...lease, verbs: leaseVerbs });
    await seen.until('the status', toldOf(lines('patch', 'idcs/status', 'isthmus.dev')));
    await putObject(api, idc('sh-b'));
    await seen.until('it goes on', () => seen.count('+Idc//sh-b') === 1);
    t.strictSame(seen.errors(), [], 'no error: nothing that is served depends on it');
    const group = ['isthmus.dev'];
    await allow({ ...lease, verbs: leaseVerbs }, { apiGroups: group, resources: status, verbs: ['patch'] });
    await seen.until('nothing is lacking', () => seen.current().length === 0);
    await until('a condition', async () => (await accepted(idc('sh-a')))?.status === 'True');
  });
});

t.test('a control plane writes them', { skip: withoutKube }, async (t) => {
  const api = await KubeApi.start(t);
  await defineShippedKinds(api);
  await putObject(api, idc('sh-a'));
  const access = () => readKubeconfig({ file: api.kubeconfig() }, clock);
  const conditions = { idc: 'sh-a', identity: 'one' };
  const open = () =>
    createKubernetesSource(
      { access, clock, random: seededRandom(1), conditions },
      { timing: quickTiming, status: quickStatus },
    );
  const plane = await startControlPlane({
    ...{ idc: 'sh-a', xds: { address: '127.0.0.1', port: 0 }, hopLimit: 1, clock, logger: silentLogger },
    sources: [keepLastGood({ open, idc: 'sh-a', clock })],
  });
  t.teardown(() => plane.close());
  const conditionOf = async (object: RawObject) => {
    const { status } = (await api.must('GET', pathOf(object))) as {
      status?: { conditions?: { status: string; message: string; observedGeneration: number }[] };
    };
    return status?.conditions?.[0];
  };
  await until('an Idc has one, without a word about it', async () => {
    return (await conditionOf(idc('sh-a')))?.status === 'True';
  });
  await putObject(api, idc('sh-b'));
  const lonely = drGroup('dr', ['nobody.example'], 'sh-a', 'sh-b');
  await putObject(api, lonely);
  await until('what was found beside other objects', async () => {
    return /nobody\.example/.test((await conditionOf(lonely))?.message ?? '');
  });
  t.match(await conditionOf(lonely), { status: 'True', observedGeneration: 1 });
});
