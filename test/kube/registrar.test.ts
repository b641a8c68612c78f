import t from 'tap';
import { KubeApi, withoutKube } from '../support/kube/kube-api.ts';
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

/** The API server copies it from the Node. */
const zoneLabel = 'topology.kubernetes.io/zone';
const key = (name: string) => `registrar.isthmus.dev/${name}`;
const sameAs = (expected: readonly string[], found: readonly string[]) => expected.join() === found.join();

t.test('Pods of a Remote are registered in the Primary', { skip: withoutKube }, async (t) => {
  const clusters = await startClusters(t);
  const { primary, remote } = clusters;
  const has = (...addresses: string[]) =>
    until(`the entries ${addresses}`, async () => sameAs(addresses, await addressesOf(primary)));
  const { registrar } = startRegistrar(t, clusters);

  await t.test('a ready Pod: an entry that says where it is, and of which version', async (t) => {
    const uid = await addReadyPod(remote, 'web-0', '10.1.0.1', {
      labels: { app: 'checkout' },
      annotations: { 'isthmus.dev/weight': '7' },
      spec: {
        containers: [{ name: 'app', image: 'app', ports: [{ name: 'http', containerPort: 8080 }] }],
      },
    });
    await has('10.1.0.1');
    const [entry] = await entriesOf(primary);
    t.match(entry?.metadata, {
      name: /^apps-1-web-0-[0-9a-f]{10}$/,
      labels: { [key('cluster')]: 'apps-1' },
      finalizers: ['isthmus.dev/propagated'],
      annotations: {
        [key('uid')]: uid,
        [key('instance')]: `pod/${uid}`,
        [key('pod')]: 'shop/web-0',
        [key('generation')]: /^\d+$/,
        [key('zone')]: 'zone-1',
        [key('weight')]: '7',
        [key('healthy-since')]: '2026-01-01T00:00:00Z',
        [key('term')]: /^[0-9a-f-]{36}\/0$/,
      },
    });
    t.strictSame(entry?.spec, {
      address: '10.1.0.1',
      labels: { app: 'checkout', 'isthmus.dev/group': 'checkout', [zoneLabel]: 'zone-1' },
      locality: 'sh-a/zone-1',
      ports: { http: 8080 },
      weight: 7,
    });
    t.strictSame(
      [...new Set(entry?.metadata.managedFields.map(({ manager }) => manager))],
      ['isthmus-registrar'],
    );
  });

  await t.test('not ready, without the label: no entry', async (t) => {
    await addPod(remote, 'web-1');
    await setPod(remote, 'web-1', '10.1.0.2', false);
    await addReadyPod(remote, 'other', '10.1.0.3', { labels: { 'isthmus.dev/group': 'other' } });
    await remote.must('PATCH', '/api/v1/namespaces/shop/pods/other', {
      metadata: { labels: { 'isthmus.dev/group': null } },
    });
    // What comes later shows that there was time.
    await addReadyPod(remote, 'web-2', '10.1.0.4');
    await until('the later one alone', async () => {
      await releaseAll(primary);
      // None that is still to be released either.
      const found = (await entriesOf(primary)).map(({ spec }) => spec.address).sort();
      return sameAs(['10.1.0.1', '10.1.0.4'], found);
    });
    await setPod(remote, 'web-1', '10.1.0.2', true);
    await has('10.1.0.1', '10.1.0.2', '10.1.0.4');
    t.equal(registrar.status.pending, 0);
  });

  await t.test(
    'no longer ready: deleted, and kept by its finalizer; ready again: an entry beside it',
    async (t) => {
      await setPod(remote, 'web-1', '10.1.0.2', false);
      await has('10.1.0.1', '10.1.0.4');
      const kept = (await entriesOf(primary)).filter(({ metadata }) => metadata.deletionTimestamp);
      t.equal(kept.length, 1);
      t.equal(kept[0]?.spec.address, '10.1.0.2');
      await setPod(remote, 'web-1', '10.1.0.2', true);
      await has('10.1.0.1', '10.1.0.2', '10.1.0.4');
      t.equal((await entriesOf(primary)).length, 4);
      t.equal(registrar.status.leaving, 1);
      await releaseAll(primary);
      await until('the former is gone', async () => (await entriesOf(primary)).length === 3);
      await has('10.1.0.1', '10.1.0.2', '10.1.0.4');
    },
  );

  await t.test('changed labels, weight and zone change its entry in place', async (t) => {
    const find = async () => (await entriesOf(primary)).find(({ spec }) => spec.address === '10.1.0.1');
    const before = await find();
    await remote.must('PATCH', '/api/v1/namespaces/shop/pods/web-0', {
      metadata: { labels: { app: null, version: 'v2' }, annotations: { 'isthmus.dev/weight': null } },
    });
    await until('new labels', async () => (await find())?.spec.labels.version === 'v2');
    const after = await find();
    t.equal(after?.metadata.uid, before?.metadata.uid);
    t.strictSame(after?.spec.labels, {
      version: 'v2',
      'isthmus.dev/group': 'checkout',
      [zoneLabel]: 'zone-1',
    });
    t.equal(after?.spec.weight, undefined, 'what is gone is taken away');
    await addReadyPod(remote, 'early', '10.1.0.5', { node: 'node-3' });
    const early = async () => (await entriesOf(primary)).find(({ spec }) => spec.address === '10.1.0.5');
    await until('no zone', async () => (await early())?.spec.locality === 'sh-a');
    await addNode(remote, 'node-3', 'zone-3');
    await until('that of its Node', async () => (await early())?.spec.locality === 'sh-a/zone-3');
    await removePod(remote, 'early');
  });

  await t.test('being deleted: no entry any more, though its condition is still Ready', async () => {
    await remote.must('DELETE', '/api/v1/namespaces/shop/pods/web-2?gracePeriodSeconds=600');
    await has('10.1.0.1', '10.1.0.2');
    await removePod(remote, 'web-2');
  });

  await t.test('another Pod has its address: the former one has no entry', async (t) => {
    // Its Node is lost: nobody says that the former one is gone.
    await addNode(remote, 'node-2', 'zone-2');
    await addPod(remote, 'next', { labels: { app: 'next' }, node: 'node-2' });
    // Times of Pods have whole seconds.
    const started = new Date(Date.now() + 10_000).toISOString().replace(/\.\d+/, '');
    await remote.must('PATCH', '/api/v1/namespaces/shop/pods/next/status', {
      status: {
        ...{ phase: 'Running', podIP: '10.1.0.2', podIPs: [{ ip: '10.1.0.2' }], startTime: started },
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    });
    await until('one of the address, the later one', async () => {
      const of = (await entriesOf(primary)).filter(
        ({ spec, metadata }) => spec.address === '10.1.0.2' && metadata.deletionTimestamp === undefined,
      );
      return of.length === 1 && of[0]?.spec.labels.app === 'next';
    });
    await removePod(remote, 'next');
    await has('10.1.0.1', '10.1.0.2');
    const [, second] = (await entriesOf(primary)).filter(({ metadata }) => !metadata.deletionTimestamp);
    t.not(second?.spec.labels.app, 'next', 'with the later one gone, the former counts again');
    await releaseAll(primary);
  });

  await t.test('a Pod of the same name with another UID: its own entry', async () => {
    const [before] = (await entriesOf(primary)).filter(({ spec }) => spec.address === '10.1.0.1');
    await removePod(remote, 'web-0');
    await addReadyPod(remote, 'web-0', '10.1.0.1');
    await until('another one', async () => {
      const [now] = (await entriesOf(primary)).filter(
        ({ spec, metadata }) => spec.address === '10.1.0.1' && !metadata.deletionTimestamp,
      );
      return now !== undefined && now.metadata.name !== before?.metadata.name;
    });
    await releaseAll(primary);
    await has('10.1.0.1', '10.1.0.2');
  });

  await t.test('with the readiness gate: registered as soon as only that is open', async () => {
    await addPod(remote, 'gated', {
      spec: { readinessGates: [{ conditionType: 'isthmus.dev/propagated' }, { conditionType: 'x/y' }] },
    });
    await setPod(remote, 'gated', '10.1.0.7', false, { more: { ContainersReady: 'True' } });
    await addReadyPod(remote, 'later', '10.1.0.8');
    await has('10.1.0.1', '10.1.0.2', '10.1.0.8');
    await setPod(remote, 'gated', '10.1.0.7', false, { more: { ContainersReady: 'True', 'x/y': 'True' } });
    await has('10.1.0.1', '10.1.0.2', '10.1.0.7', '10.1.0.8');
  });

  await t.test('an entry that somebody deletes or changes is put right', async () => {
    const [entry] = await entriesOf(primary);
    const path = `/apis/networking.istio.io/v1/namespaces/shop/workloadentries/${entry?.metadata.name}`;
    await primary.must('PATCH', path, { spec: { weight: 900 } });
    await until('its weight', async () => {
      const { spec } = (await primary.must('GET', path)) as { spec: { weight?: number } };
      return spec.weight === undefined;
    });
    await primary.must('DELETE', path);
    await releaseAll(primary);
    await has('10.1.0.1', '10.1.0.2', '10.1.0.7', '10.1.0.8');
  });

  await t.test('a cluster that is withdrawn: all its entries are deleted, no others', async (t) => {
    const second = await KubeApi.start(t);
    await second.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
    startRegistrar(t, { primary, remote: second }, { cluster: 'apps-2', identity: 'two' });
    await addReadyPod(second, 'web-0', '10.2.0.1');
    await has('10.1.0.1', '10.1.0.2', '10.1.0.7', '10.1.0.8', '10.2.0.1');
    startRegistrar(t, clusters, { identity: 'three', withdraw: true });
    await primary.must(
      'PATCH',
      '/apis/coordination.k8s.io/v1/namespaces/default/leases/isthmus-registrar-apps-1',
      {
        spec: { holderIdentity: 'three' },
      },
    );
    await has('10.2.0.1');
  });
});
