import t, { type Test } from 'tap';
import { systemClock as clock } from '../../../src/base/clock.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { readKubeconfig } from '../../../src/kube/config/kubeconfig.ts';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';
import { createKubernetesSource } from '../../../src/registry/kubernetes/kubernetes-source.ts';
import { service } from '../../registry/objects.ts';
import { drillHost, Instances, startCaller, startLoad } from '../../support/kube/drill-load.ts';
import { KubeApi, withoutKube } from '../../support/kube/kube-api.ts';
import { defineKinds, putObject } from '../../support/kube/kube-kinds.ts';
import { quickTiming } from '../../support/kube/kube-world.ts';
import { startClusters, startRegistrar } from '../../support/kube/registrar-world.ts';
import { addPod, addReadyPod, addressesOf, entriesOf, setPod } from '../../support/kube/remote.ts';
import { type Mesh, startMesh, until } from '../../support/mesh.ts';
import { idcYaml } from '../../support/objects-yaml.ts';
import { freePort } from '../../support/port.ts';

// `make drill-remote`: a Remote's API server and etcd are killed under load, with real Envoys.

/** Requests a second, in all. */
const rate = 200;
/** How long the Remote is away at least, in milliseconds. */
const awayMs = 8_000;

async function startWorld(t: Test) {
  const clusters = await startClusters(t);
  const { primary, remote } = clusters;
  await defineKinds(primary);
  const instances = new Instances(await freePort('127.0.1.1'));
  t.teardown(() => instances.close());
  const addresses = ['127.0.1.1', '127.0.1.2', '127.0.1.3'];
  for (const address of addresses) await instances.start(address);
  const ports = [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: instances.port }];
  const workloadSelector = { labels: { 'isthmus.dev/group': 'checkout' } };
  await putObject(primary, service('checkout', drillHost, { ports, workloadSelector }));
  for (const [at, address] of addresses.entries()) await addReadyPod(remote, `web-${at + 1}`, address);
  const access = () => readKubeconfig({ file: primary.kubeconfig() }, clock);
  const source = createKubernetesSource({ access, clock, random: seededRandom(1) }, { timing: quickTiming });
  const mesh = await startMesh('sh-a', { 'idc.yaml': idcYaml }, { sources: [source] });
  t.teardown(() => mesh.close());
  return { clusters, instances, addresses, mesh };
}

async function startSidecars(mesh: Mesh): Promise<readonly ListenAddress[]> {
  return [await startCaller(mesh, 'caller-0'), await startCaller(mesh, 'caller-1')];
}

/** Kills a Remote's API server and etcd. */
async function strike(remote: KubeApi): Promise<void> {
  await Promise.all([remote.stopServer(), remote.stopEtcd()]);
}

const wait = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms));

t.test('a Remote is killed under load: no request fails', { skip: withoutKube }, async (t) => {
  const { clusters, instances, addresses, mesh } = await startWorld(t);
  const { primary, remote } = clusters;
  const first = startRegistrar(t, clusters, { identity: 'first' });
  const sidecars = await startSidecars(mesh);
  const load = await startLoad(sidecars, rate, addresses);

  await strike(remote);
  const struckAt = performance.now();
  await until('it is told', () => first.registrar.status.troubles.some((one) => /stays as it is/.test(one)));
  // The registrar ends meanwhile, and another one begins.
  await first.end();
  const next = startRegistrar(t, clusters, { identity: 'next' });
  await until(
    'it knows the Primary',
    () => next.registrar.status.isActive && next.registrar.status.entries === 3,
  );
  while (performance.now() - struckAt < awayMs) await wait(100);
  t.strictSame(await addressesOf(primary), addresses, 'last known instances stay');
  t.strictSame(load.failures, [], `of ${load.sent} requests until here`);

  await remote.startEtcd();
  await remote.startServer();
  await until('it is back', () => next.registrar.status.isReady);
  await remote.must('DELETE', '/api/v1/namespaces/shop/pods/web-1?gracePeriodSeconds=600');
  await until('its entry is gone: no proxy has it any more', async () =>
    (await entriesOf(primary)).every(({ spec }) => spec.address !== '127.0.1.1'),
  );
  // As a preStop hook that waits for it lets its Pod do.
  instances.stop('127.0.1.1');
  await addPod(remote, 'web-4');
  await instances.start('127.0.1.4');
  await setPod(remote, 'web-4', '127.0.1.4', true);
  await until('the new one serves', () => (load.served.get('127.0.1.4') ?? 0) > rate / 10);
  await load.end();
  t.strictSame(load.failures, [], `of ${load.sent} requests`);
  t.ok(load.sent > (awayMs / 1000) * rate);
  t.comment(`${load.sent} requests, ${load.failures.length} failed`);
});

t.test(
  'control: a registrar that takes a Remote it cannot reach for an empty one',
  { skip: withoutKube },
  async (t) => {
    const { clusters, addresses, mesh } = await startWorld(t);
    const { primary, remote } = clusters;
    const first = startRegistrar(t, clusters, { identity: 'first' });
    const sidecars = await startSidecars(mesh);
    const load = await startLoad(sidecars, rate, addresses);
    const empty = await KubeApi.start(t);
    await strike(remote);
    await first.end();
    startRegistrar(t, { primary, remote: empty }, { identity: 'forgetful' });
    await until('requests fail', () => {
      // The guard against the loss of all instances is off, too.
      mesh.plane.confirmDeletes();
      return load.failures.length > 0;
    });
    await load.end();
    t.ok(load.failures.length > 0, `${load.failures.length} of ${load.sent} requests failed`);
  },
);
