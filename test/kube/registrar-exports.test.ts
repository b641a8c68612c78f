import t from 'tap';
import { systemClock as clock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { readKubeconfig } from '../../src/kube/config/kubeconfig.ts';
import { startControlPlane } from '../../src/plane/controlplane.ts';
import { createKubernetesSource } from '../../src/registry/kubernetes/kubernetes-source.ts';
import { idc } from '../registry/objects.ts';
import { follow } from '../support/clients/follower.ts';
import { connectXds } from '../support/clients/xds-client.ts';
import { KubeApi as Api, type KubeApi, withoutKube } from '../support/kube/kube-api.ts';
import { defineKinds, putObject } from '../support/kube/kube-kinds.ts';
import { quickTiming } from '../support/kube/kube-world.ts';
import { startClusters, startRegistrar } from '../support/kube/registrar-world.ts';
import { addressesOf, entriesOf, releaseAll } from '../support/kube/remote.ts';
import { until } from '../support/mesh.ts';

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const exports = '/apis/multicluster.x-k8s.io/v1beta1/namespaces/shop/serviceexports';
const services = '/api/v1/namespaces/shop/services';
const slices = '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices';
const serviceEntries = '/apis/networking.istio.io/v1/namespaces/shop/serviceentries';
const sameAs = (expected: readonly string[], found: readonly string[]) => expected.join() === found.join();

/** The definition of ServiceExport, as far as its names matter. */
async function defineExports(api: KubeApi): Promise<void> {
  const openAPIV3Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  await api.must('POST', definitions, {
    ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' },
    metadata: {
      name: 'serviceexports.multicluster.x-k8s.io',
      annotations: { 'api-approved.kubernetes.io': 'https://github.com/kubernetes/enhancements/pull/1748' },
    },
    spec: {
      ...{ group: 'multicluster.x-k8s.io', scope: 'Namespaced' },
      names: { kind: 'ServiceExport', plural: 'serviceexports', singular: 'serviceexport' },
      versions: [{ name: 'v1beta1', served: true, storage: true, schema: { openAPIV3Schema } }],
    },
  });
  while ((await api.call('GET', exports)).status !== 200);
}

const exportService = (api: KubeApi, name: string) => {
  const type = { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport' };
  return api.must('POST', exports, { ...type, metadata: { name } });
};

const endpoint = (address: string, uid: string, conditions: Record<string, boolean> = { ready: true }) => ({
  ...{ addresses: [address], conditions, zone: 'zone-1' },
  targetRef: { kind: 'Pod', name: `web-${uid}`, namespace: 'shop', uid },
});

/** Replaces the endpoints of a Service. */
async function setEndpoints(api: KubeApi, name: string, ...endpoints: readonly object[]): Promise<void> {
  const slice = {
    metadata: { name: `${name}-a`, labels: { 'kubernetes.io/service-name': name } },
    ...{ addressType: 'IPv4', endpoints, ports: [{ name: 'http', port: 8080, protocol: 'TCP' }] },
  };
  const { status } = await api.call('GET', `${slices}/${name}-a`);
  if (status === 404) await api.must('POST', slices, slice);
  else await api.must('PATCH', `${slices}/${name}-a`, { endpoints });
}

async function addService(api: KubeApi, name: string): Promise<void> {
  const ports = [{ name: 'http', port: 80, targetPort: 8080 }];
  await api.must('POST', services, { metadata: { name }, spec: { ports, selector: { app: name } } });
}

t.test('exported Services', { skip: withoutKube }, async (t) => {
  const clusters = await startClusters(t);
  const { primary, remote } = clusters;
  await defineKinds(primary);
  const has = (...addresses: string[]) =>
    until(`the entries ${addresses}`, async () => sameAs(addresses, await addressesOf(primary)), 30_000);
  const hosts = async () => {
    const { items } = (await primary.must('GET', serviceEntries)) as {
      items: { spec: { hosts: string[] } }[];
    };
    return items.flatMap(({ spec }) => spec.hosts).sort();
  };
  const host = 'checkout.shop.svc.clusterset.local';
  for (const name of ['checkout', 'hidden']) {
    await addService(remote, name);
    await setEndpoints(remote, name, endpoint(name === 'checkout' ? '10.1.0.1' : '10.1.0.9', `${name}-1`));
  }
  const { registrar } = startRegistrar(t, clusters);
  await until('it is ready', () => registrar.status.isReady && registrar.status.isActive);

  await t.test('an exported one is a Group of the clusterset; others are not', async (t) => {
    await defineExports(remote);
    await exportService(remote, 'checkout');
    await has('10.1.0.1');
    await until('its host', async () => sameAs([host], await hosts()));
    const [entry] = await entriesOf(primary);
    t.match(entry?.metadata, {
      name: /^apps-1-web-checkout-1-[0-9a-f]{10}$/,
      finalizers: ['isthmus.dev/propagated'],
      annotations: { 'registrar.isthmus.dev/instance': 'export/shop/checkout/checkout-1' },
    });
    const labels = {
      'registrar.isthmus.dev/cluster': 'apps-1',
      'registrar.isthmus.dev/service': 'checkout',
    };
    const locality = 'sh-a/zone-1';
    t.strictSame(entry?.spec, { address: '10.1.0.1', labels, locality, ports: { http: 8080 } });
    t.match(await primary.must('GET', serviceEntries), {
      items: [
        { spec: { ports: [{ number: 80, name: 'http', protocol: 'HTTP' }], workloadSelector: { labels } } },
      ],
    });
    await until('nothing is left to do', () => registrar.status.pending === 0);
    t.strictSame(registrar.status.troubles, []);
  });

  await t.test('not ready, terminating: no entry', async () => {
    await setEndpoints(
      remote,
      'checkout',
      endpoint('10.1.0.1', 'checkout-1', { ready: false, serving: true, terminating: true }),
      endpoint('10.1.0.2', 'checkout-2'),
      endpoint('10.1.0.3', 'checkout-3', { ready: false }),
    );
    await has('10.1.0.2');
    await releaseAll(primary);
  });

  await t.test('two clusters export one Service: a proxy has the instances of both', async (t) => {
    const second = await Api.start(t);
    await second.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
    await defineExports(second);
    await addService(second, 'checkout');
    await setEndpoints(second, 'checkout', endpoint('10.2.0.1', 'b-1'));
    await exportService(second, 'checkout');
    const other = startRegistrar(t, { primary, remote: second }, { cluster: 'apps-2', identity: 'two' });
    await has('10.1.0.2', '10.2.0.1');
    await putObject(primary, idc('sh-a'));
    const access = () => readKubeconfig({ file: primary.kubeconfig() }, clock);
    const plane = await startControlPlane({
      ...{ idc: 'sh-a', xds: { address: '127.0.0.1', port: 0 }, hopLimit: 1, clock, logger: silentLogger },
      sources: [createKubernetesSource({ access, clock, random: seededRandom(1) }, { timing: quickTiming })],
    });
    t.teardown(() => plane.close());
    const outbound = { address: '127.0.0.1', port: 15_001 };
    const metadata = { isthmus: { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound } };
    const client = connectXds(`127.0.0.1:${plane.xds.port}`, 'delta', { id: 'caller', metadata });
    t.teardown(() => client.close());
    const proxy = follow(client, 'delta', `instances/${host}:80`, /^(.*)$/);
    await until(
      'it has both',
      () => ['10.1.0.2', '10.2.0.1'].every((one) => proxy.last().includes(one)),
      60_000,
    );
    t.match(proxy.last(), /8080/);
    await second.must('DELETE', `${exports}/checkout`);
    await until(
      'it has one',
      () => proxy.last().includes('10.1.0.2') && !proxy.last().includes('10.2.0.1'),
      60_000,
    );
    t.strictSame(await hosts(), [host]);
    t.strictSame(
      plane.problems().filter(({ severity }) => severity === 'error'),
      [],
    );
    await other.end();
    await plane.close();
  });

  await t.test('the kind goes: all stays', async (t) => {
    await remote.must('DELETE', `${definitions}/serviceexports.multicluster.x-k8s.io`);
    await until('it is gone', async () => (await remote.call('GET', exports)).status === 404);
    // What comes later shows that there was time.
    await defineExports(remote);
    await exportService(remote, 'hidden');
    await has('10.1.0.2', '10.1.0.9');
    t.strictSame(await hosts(), [host, 'hidden.shop.svc.clusterset.local']);
  });

  await t.test('no longer exported: its entry goes, and its host', async () => {
    await remote.must('DELETE', `${exports}/hidden`);
    await has('10.1.0.2');
    await until('its host', async () => sameAs([host], await hosts()));
  });

  await t.test('withdrawn with the cluster', async (t) => {
    startRegistrar(t, clusters, { identity: 'three', withdraw: true });
    await primary.must(
      'PATCH',
      '/apis/coordination.k8s.io/v1/namespaces/default/leases/isthmus-registrar-apps-1',
      { spec: { holderIdentity: 'three' } },
    );
    await has();
    await until('no host', async () => (await hosts()).length === 0);
  });
});
