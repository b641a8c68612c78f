import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { systemClock as clock } from '../../../src/base/clock.ts';
import { idc, service } from '../../registry/objects.ts';
import { drillHost, Load, startCaller } from '../../support/kube/drill-load.ts';
import { KubeApi } from '../../support/kube/kube-api.ts';
import { defineShippedKinds, putObject } from '../../support/kube/kube-kinds.ts';
import { addNode, startRegistrar } from '../../support/kube/registrar-world.ts';
import { addressesOf } from '../../support/kube/remote.ts';
import { servedPlace, untilReady } from '../../support/kube/served-kube.ts';
import { startMesh, until } from '../../support/mesh.ts';
import { startControllers, withoutControllers } from '../../support/pods/controller-manager.ts';
import { Kubelet } from '../../support/pods/kubelet.ts';
import { freePort } from '../../support/port.ts';

// `make drill-pods`: a Deployment is rolled under load. What runs are processes at the Pods' addresses.

const rate = 200;
const replicas = 4;
/** How long a Pod that is deleted still serves: 5 s where the webhook adds the hook. */
const preStopMs = 3_000;
const preStop = { preStop: { sleep: { seconds: preStopMs / 1_000 } } };
const gate = { conditionType: 'isthmus.dev/propagated' };
/** What protects a rolling update. */
interface Protection {
  readonly lifecycle: object;
  readonly readinessGates: readonly (typeof gate)[];
}
const all: Protection = { lifecycle: preStop, readinessGates: [gate] };
const app = fileURLToPath(new URL('../../support/pods/pod-app.ts', import.meta.url));
const deployments = '/apis/apps/v1/namespaces/shop/deployments';

function deployment(port: number, { lifecycle, readinessGates }: Protection) {
  const labels = { 'isthmus.dev/group': 'checkout' };
  const command = [process.execPath, app];
  const container = {
    ...{ name: 'app', image: 'app:1', command, lifecycle },
    ports: [{ containerPort: port }],
  };
  return {
    metadata: { name: 'checkout' },
    spec: {
      ...{ replicas, selector: { matchLabels: labels } },
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels },
        spec: {
          nodeName: 'node-1',
          terminationGracePeriodSeconds: 20,
          readinessGates,
          containers: [container],
        },
      },
    },
  };
}

/** Resolves once the Deployment is as it should be, and no other Pod is left. */
async function rolled(api: KubeApi): Promise<void> {
  await until('the Deployment is rolled', async () => {
    const { metadata, status } = (await api.must('GET', `${deployments}/checkout`)) as {
      readonly metadata: { readonly generation: number };
      readonly status: Readonly<Record<string, number>>;
    };
    const counts = [status.replicas, status.updatedReplicas, status.availableReplicas];
    return status.observedGeneration === metadata.generation && counts.every((count) => count === replicas);
  });
  await until('others have ended', async () => {
    const { items } = (await api.must('GET', '/api/v1/namespaces/shop/pods')) as { items: unknown[] };
    return items.length === replicas;
  });
}

async function startWorld(t: Test, protection: Protection) {
  const api = await KubeApi.start(t);
  await defineShippedKinds(api);
  await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
  await addNode(api, 'node-1', 'zone-1');
  const port = await freePort('127.0.2.1');
  const workloadSelector = { labels: { 'isthmus.dev/group': 'checkout' } };
  const ports = [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: port }];
  await putObject(api, idc('sh-a'));
  await putObject(api, service('checkout', drillHost, { ports, workloadSelector }));
  await startControllers(t, api);
  const kubelet = Kubelet.start(t, api);
  await api.must('POST', deployments, deployment(port, protection));
  startRegistrar(t, { primary: api, remote: api });
  const place = await servedPlace(t);
  const served = place.start(api.kubeconfig(), place.emptyState());
  await untilReady(served);
  await rolled(api);
  const mesh = await startMesh('sh-a', {});
  t.teardown(() => mesh.close());
  const callers = [
    await startCaller(mesh, 'caller-0', place.xds),
    await startCaller(mesh, 'caller-1', place.xds),
  ];
  // A POST that was begun is not tried again elsewhere.
  const load = new Load(callers, rate, 'POST');
  const before = kubelet.addresses;
  await until('all Pods serve', () => before.every((address) => load.served.has(address)));
  return { api, kubelet, load, before, served };
}

type World = Awaited<ReturnType<typeof startWorld>>;

/** A new image for all Pods. */
async function change({ api }: World): Promise<void> {
  const annotations = { version: '2' };
  await api.must('PATCH', `${deployments}/checkout`, { spec: { template: { metadata: { annotations } } } });
}

/** Resolves once all Pods are new, and serve. */
async function served({ api, kubelet, load }: World): Promise<void> {
  await rolled(api);
  await until('all new Pods serve', () => kubelet.addresses.every((address) => load.served.has(address)));
  await load.end();
}

t.test('a Deployment is rolled under load: no request fails', { skip: withoutControllers }, async (t) => {
  const world = await startWorld(t, all);
  const { api, kubelet, load, before } = world;
  // Meanwhile no proxy hears of anything.
  world.served.signal('SIGSTOP');
  await change(world);
  await until('a new Pod runs', () => kubelet.addresses.length > replicas);
  const from = clock.now();
  await until('a Pod could have ended', () => clock.now() - from > 2 * preStopMs);
  t.equal(kubelet.stopped, 0, 'no Pod ends before the proxies know another one');
  world.served.signal('SIGCONT');
  await served(world);
  t.equal(kubelet.stopped, replicas, 'all of the first Pods have ended');
  const kept = kubelet.addresses.filter((address) => before.includes(address));
  t.strictSame(kept, []);
  const registered = async () => String(await addressesOf(api)) === String([...kubelet.addresses].sort());
  await until('the entries are those of the new Pods', registered);
  t.strictSame(load.failures, [], `of ${load.sent} requests`);
  t.comment(`${load.sent} requests, 0 failed`);
});

t.test('control: without preStop Pods end too early', { skip: withoutControllers }, async (t) => {
  const world = await startWorld(t, { ...all, lifecycle: {} });
  await change(world);
  await served(world);
  const { kubelet, load } = world;
  t.equal(kubelet.stopped, replicas);
  t.ok(load.failures.length > 0, `${load.failures.length} of ${load.sent} requests failed`);
});

t.test(
  'control: without the readiness gate Pods end for others that no proxy knows',
  {
    skip: withoutControllers,
  },
  async (t) => {
    const world = await startWorld(t, { ...all, readinessGates: [] });
    const { kubelet, load } = world;
    world.served.signal('SIGSTOP');
    await change(world);
    await until('all of the first Pods have ended', () => kubelet.stopped === replicas);
    await until('requests fail', () => load.failures.length > 0);
    world.served.signal('SIGCONT');
    await served(world);
    t.ok(load.failures.length > 0, `${load.failures.length} of ${load.sent} requests failed`);
  },
);
