import t from 'tap';
import { KubeApi, limitedToken, withoutKube } from '../support/kube/kube-api.ts';
import { proxyKubeconfig, startKubeProxy } from '../support/kube/kube-proxy.ts';
import { watchWorld } from '../support/kube/kube-world.ts';
import { addNode, startClusters, startRegistrar } from '../support/kube/registrar-world.ts';
import {
  addPod,
  addReadyPod,
  addressesOf,
  entriesOf,
  releaseAll,
  removePod,
  setPod,
} from '../support/kube/remote.ts';
import { until } from '../support/mesh.ts';

const sameAs = (expected: readonly string[], found: readonly string[]) => expected.join() === found.join();

t.test('API servers that are away, or refuse', { skip: withoutKube }, async (t) => {
  const clusters = await startClusters(t);
  const { primary, remote } = clusters;
  const has = (...addresses: string[]) =>
    until(`the entries ${addresses}`, async () => sameAs(addresses, await addressesOf(primary)), 60_000);
  const heard = async () => {
    const path = '/apis/coordination.k8s.io/v1/namespaces/default/leases/isthmus-registrar-apps-1';
    const { metadata, spec } = (await primary.must('GET', path)) as {
      metadata: { annotations: Record<string, string> };
      spec: { renewTime: string };
    };
    return { at: metadata.annotations['registrar.isthmus.dev/heard'], renewed: spec.renewTime };
  };
  for (const at of [1, 2, 3]) await addReadyPod(remote, `web-${at}`, `10.1.0.${at}`);

  await t.test('the Remote: nothing changes, its age is told; what changed after it arrives', async (t) => {
    const { registrar, end } = startRegistrar(t, clusters);
    await has('10.1.0.1', '10.1.0.2', '10.1.0.3');
    const { seen, started } = watchWorld(t, primary.kubeconfig());
    await started;
    const told = seen.all.length;
    await remote.stopServer();
    await until('it is told', () =>
      registrar.status.troubles.some((one) =>
        /cannot be reached.*What is registered of apps-1 stays as it is\./.test(one),
      ),
    );
    t.ok((registrar.status.staleMs ?? -1) >= 0);
    const before = await heard();
    await until('the Lease goes on, without news of the Remote', async () => {
      const now = await heard();
      t.equal(now.at, before.at);
      return now.renewed !== before.renewed;
    });
    t.equal(seen.all.length, told);
    await end();
    // A start while it is away: nothing is known, so nothing is done.
    const next = startRegistrar(t, clusters, { identity: 'next' });
    await until('it holds the Lease, and knows only the Primary', () => {
      const { isActive, entries, troubles } = next.registrar.status;
      return isActive && entries === 3 && troubles.length > 0;
    });
    t.equal(next.registrar.status.isReady, false);
    t.equal(seen.all.length, told);
    await remote.startServer();
    await until('it is ready', () => next.registrar.status.isReady, 60_000);
    await removePod(remote, 'web-3');
    await addReadyPod(remote, 'web-4', '10.1.0.4');
    await has('10.1.0.1', '10.1.0.2', '10.1.0.4');
    await until('the Remote was heard of', async () => (await heard()).at !== before.at);
    await seen.until('both changes', () => seen.all.length >= told + 2);
    t.strictSame(
      seen
        .log()
        .slice(told)
        .map((one) => one.replace(/apps-1-(web-\d).*/, '$1'))
        .sort(),
      ['+WorkloadEntry/shop/web-4', '-WorkloadEntry/shop/web-3'],
      'nothing else, in all that time',
    );
    t.equal(next.registrar.status.staleMs, undefined);
    await next.end();
  });

  await t.test('control: a Remote that answers, and has no Pods', async (t) => {
    const empty = await KubeApi.start(t);
    const { end } = startRegistrar(t, { primary, remote: empty });
    await has();
    await end();
    await releaseAll(primary);
  });

  await t.test('the Primary: what there should be is written after it, not what happened', async (t) => {
    const { registrar, end } = startRegistrar(t, clusters);
    await has('10.1.0.1', '10.1.0.2', '10.1.0.4');
    const { seen, started } = watchWorld(t, primary.kubeconfig());
    await started;
    const told = seen.all.length;
    await primary.stopServer();
    await until('it is told', () => registrar.status.troubles.some((one) => /cannot be reached/.test(one)));
    await addReadyPod(remote, 'web-5', '10.1.0.5');
    await addReadyPod(remote, 'brief', '10.1.0.6');
    await removePod(remote, 'brief');
    await removePod(remote, 'web-1');
    await primary.startServer();
    await has('10.1.0.2', '10.1.0.4', '10.1.0.5');
    await seen.until('both changes', () => seen.all.length >= told + 2);
    t.strictSame(
      seen
        .log()
        .slice(told)
        .map((one) => one.replace(/apps-1-(web-\d|brief).*/, '$1'))
        .sort(),
      ['+WorkloadEntry/shop/web-5', '-WorkloadEntry/shop/web-1'],
    );
    await until('nothing is wrong', () => registrar.status.troubles.length === 0);
    await end();
    await releaseAll(primary);
  });

  await t.test('429, 500, 409: tried again, as late as it says, until it is so', async (t) => {
    const proxy = await startKubeProxy(t, primary);
    let refusals = 0;
    let firstAt = 0;
    let nextAt = 0;
    proxy.spoil = (path, method) => {
      if (method !== 'POST' || !path.includes('workloadentries')) return undefined;
      refusals += 1;
      if (refusals === 1) firstAt = performance.now();
      if (refusals === 2) nextAt = performance.now();
      if (refusals === 1) return { answer: { status: 429, body: 'slowly', retryAfter: '1' } };
      if (refusals === 2) return { answer: { status: 500, body: 'ouch' } };
      const body = JSON.stringify({ kind: 'Status', code: 409, message: 'already exists' });
      return refusals === 3 ? { answer: { status: 409, body } } : undefined;
    };
    const { registrar, end } = startRegistrar(t, clusters, { primary: proxyKubeconfig(primary, proxy) });
    await until('it is active', () => registrar.status.isActive && registrar.status.isReady);
    await addReadyPod(remote, 'web-7', '10.1.0.7');
    await has('10.1.0.2', '10.1.0.4', '10.1.0.5', '10.1.0.7');
    t.equal(refusals, 4);
    t.ok(nextAt - firstAt > 990, `asked again after ${Math.round(nextAt - firstAt)} ms`);
    t.strictSame(registrar.status.troubles, [], 'nothing that people have to mend');
    await end();
  });

  await t.test(
    'a right that is lacking, a namespace that is not there: told; the rest goes on',
    async (t) => {
      const role = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'registrar' };
      const roles = '/apis/rbac.authorization.k8s.io/v1';
      const rules = (...verbs: string[]) => [
        { apiGroups: ['networking.istio.io'], resources: ['workloadentries'], verbs },
        { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update'] },
      ];
      const few = rules('list', 'watch', 'create', 'patch');
      await primary.must('POST', `${roles}/clusterroles`, { metadata: { name: 'registrar' }, rules: few });
      await primary.must('POST', `${roles}/clusterrolebindings`, {
        ...{ metadata: { name: 'registrar' }, roleRef: role },
        subjects: [{ kind: 'User', apiGroup: role.apiGroup, name: 'limited' }],
      });
      const { registrar } = startRegistrar(t, clusters, {
        primary: primary.kubeconfig({ token: limitedToken }),
      });
      const tells = (words: RegExp) => () => registrar.status.troubles.some((one) => words.test(one));
      await until('it is active', () => registrar.status.isActive && registrar.status.isReady);
      await removePod(remote, 'web-7');
      await until('the line of the role', tells(/add to its ClusterRole: .*"workloadentries".*\[delete\]/));
      await addReadyPod(remote, 'web-8', '10.1.0.8');
      await has('10.1.0.2', '10.1.0.4', '10.1.0.5', '10.1.0.7', '10.1.0.8');
      const all = rules('list', 'watch', 'create', 'patch', 'delete');
      await primary.must('PATCH', `${roles}/clusterroles/registrar`, { rules: all });
      await has('10.1.0.2', '10.1.0.4', '10.1.0.5', '10.1.0.8');
      await until('nothing is wrong', () => registrar.status.troubles.length === 0);

      await remote.must('POST', '/api/v1/namespaces', { metadata: { name: 'lone' } });
      await addReadyPod(remote, 'web-9', '10.1.0.9', { namespace: 'lone' });
      await until('the namespace', tells(/namespaces "lone" not found/));
      await addReadyPod(remote, 'web-10', '10.1.0.10');
      await has('10.1.0.10', '10.1.0.2', '10.1.0.4', '10.1.0.5', '10.1.0.8');
      await primary.must('POST', '/api/v1/namespaces', { metadata: { name: 'lone' } });
      await until('nothing is wrong', () => registrar.status.troubles.length === 0);
    },
  );

  await t.test('Nodes that may not be read: told; zones are those of Pods, or stay', async (t) => {
    const roles = '/apis/rbac.authorization.k8s.io/v1';
    const role = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'pods' };
    const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] }];
    await remote.must('POST', `${roles}/clusterroles`, { metadata: { name: 'pods' }, rules });
    await remote.must('POST', `${roles}/clusterrolebindings`, {
      ...{ metadata: { name: 'pods' }, roleRef: role },
      subjects: [{ kind: 'User', apiGroup: role.apiGroup, name: 'limited' }],
    });
    // Its Node comes later, so that only the Node has its zone.
    await addReadyPod(remote, 'zoned', '10.1.0.21', { node: 'node-21' });
    await addNode(remote, 'node-21', 'zone-21');
    const find = async (address: string) =>
      (await entriesOf(primary)).find(
        ({ spec, metadata }) =>
          spec.address === address && metadata.labels['registrar.isthmus.dev/cluster'] === 'apps-8',
      );
    const first = startRegistrar(t, clusters, { cluster: 'apps-8' });
    await until('its zone', async () => (await find('10.1.0.21'))?.spec.locality === 'sh-a/zone-21');
    await first.end();
    const { registrar } = startRegistrar(t, clusters, {
      ...{ cluster: 'apps-8', identity: 'two', remote: remote.kubeconfig({ token: limitedToken }) },
    });
    await until('the line of the role', () =>
      registrar.status.troubles.some((one) => /add to its ClusterRole: .*"nodes".*list, watch/.test(one)),
    );
    await remote.must('PATCH', '/api/v1/namespaces/shop/pods/zoned', {
      metadata: { labels: { version: 'v2' } },
    });
    await until('a change', async () => (await find('10.1.0.21'))?.spec.labels.version === 'v2');
    t.equal((await find('10.1.0.21'))?.spec.locality, 'sh-a/zone-21', 'it stays');
    await addReadyPod(remote, 'wished', '10.1.0.22', { annotations: { 'isthmus.dev/zone': 'zone-w' } });
    await until('that of a Pod', async () => (await find('10.1.0.22'))?.spec.locality === 'sh-a/zone-w');
  });

  await t.test('a weight that is none: told with its field, and not read', async (t) => {
    const { registrar } = startRegistrar(t, clusters, { cluster: 'apps-9' });
    await addPod(remote, 'odd', { annotations: { 'isthmus.dev/weight': 'much' } });
    await setPod(remote, 'odd', '10.1.0.11', true);
    await until('it is told', () =>
      registrar.status.troubles.some((one) =>
        one.startsWith('Pod shop/odd: metadata.annotations["isthmus.dev/weight"]: must be a whole number'),
      ),
    );
    await until('it is registered', async () =>
      (await entriesOf(primary)).some(
        ({ spec }) => spec.address === '10.1.0.11' && spec.weight === undefined,
      ),
    );
  });
});
