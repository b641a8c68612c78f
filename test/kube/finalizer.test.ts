import t, { type Test } from 'tap';
import { systemClock as clock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { readKubeconfig } from '../../src/kube/config/kubeconfig.ts';
import { startControlPlane } from '../../src/plane/controlplane.ts';
import { createKubernetesSource } from '../../src/registry/kubernetes/kubernetes-source.ts';
import { idc, service, workload } from '../registry/objects.ts';
import { follow } from '../support/clients/follower.ts';
import { connectXds } from '../support/clients/xds-client.ts';
import { KubeApi, withoutKube } from '../support/kube/kube-api.ts';
import { defineKinds, pathOf, putObject } from '../support/kube/kube-kinds.ts';
import { quickTiming, watchWorld } from '../support/kube/kube-world.ts';
import { until } from '../support/mesh.ts';

const finalizer = 'isthmus.dev/propagated';
/** An instance that is kept until no proxy has it. */
const kept = (name: string, ...others: readonly string[]) => {
  const object = workload(name);
  return { ...object, metadata: { ...object.metadata, finalizers: [...others, finalizer] } };
};
const ref = (name: string) => ({ kind: 'WorkloadEntry', namespace: 'shop', name }) as const;

t.test('finalizers', { skip: withoutKube }, async (t) => {
  const api = await KubeApi.start(t);
  await defineKinds(api);
  await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
  for (let at = 10; at < 30; at += 1) await putObject(api, workload(`w-${at}`));
  const finalizersOf = async (name: string) => {
    const { status, body } = await api.call('GET', pathOf(workload(name)));
    return status === 404 ? 'gone' : (body as { metadata: { finalizers?: string[] } }).metadata.finalizers;
  };

  const open = async (t: Test) => {
    const world = watchWorld(t, api.kubeconfig());
    await world.started;
    const { finalizers } = world.source.facets;
    if (finalizers === 'none') throw new Error('it finalizes nothing');
    return { ...world, release: (name: string) => finalizers.release(ref(name)) };
  };

  await t.test('a deleted instance leaves the mesh, and the API when it is released', async (t) => {
    await putObject(api, kept('w-1', 'example.com/other'));
    const { seen, release } = await open(t);
    await api.must('DELETE', pathOf(workload('w-1')));
    await seen.until('the deletion', () => seen.count('-WorkloadEntry/shop/w-1') === 1);
    t.strictSame(await finalizersOf('w-1'), ['example.com/other', finalizer], 'not before');
    await release('w-1');
    t.strictSame(await finalizersOf('w-1'), ['example.com/other'], 'those of others stay');
    await release('w-1');
    await api.must('PATCH', pathOf(workload('w-1')), { metadata: { finalizers: null } });
    await until('it is gone', async () => (await finalizersOf('w-1')) === 'gone');
    await release('w-1');
    t.equal(seen.count('-WorkloadEntry/shop/w-1'), 1);
  });

  await t.test('deleted by force and created again: the new one is not touched', async (t) => {
    await putObject(api, kept('w-2'));
    const { seen, release } = await open(t);
    await api.must('DELETE', pathOf(workload('w-2')));
    await seen.until('the deletion', () => seen.count('-WorkloadEntry/shop/w-2') === 1);
    await api.must('PATCH', pathOf(workload('w-2')), { metadata: { finalizers: null } });
    await putObject(api, kept('w-2'));
    await release('w-2');
    t.strictSame(await finalizersOf('w-2'), [finalizer]);
    await seen.until('the new one', () => seen.count('+WorkloadEntry/shop/w-2') === 2);
    await release('w-2');
    t.strictSame(await finalizersOf('w-2'), [finalizer]);
  });

  await t.test('deleted while no control plane ran: released after a time', async (t) => {
    await putObject(api, kept('w-3'));
    await api.must('DELETE', pathOf(workload('w-3')));
    t.strictSame(await finalizersOf('w-3'), [finalizer]);
    const { seen, started } = watchWorld(t, api.kubeconfig(), { strangerMs: 200 });
    await started;
    t.equal(seen.count('+WorkloadEntry/shop/w-3'), 0, 'it never comes into force');
    await until('it is gone', async () => (await finalizersOf('w-3')) === 'gone');
  });

  await t.test('kept until the proxies have confirmed that they have it no more', async (t) => {
    await putObject(api, idc('sh-a'));
    await putObject(api, service('s', 'a.example'));
    await putObject(api, kept('w-200'));
    const access = () => readKubeconfig({ file: api.kubeconfig() }, clock);
    const plane = await startControlPlane({
      ...{ idc: 'sh-a', xds: { address: '127.0.0.1', port: 0 }, hopLimit: 1, clock, logger: silentLogger },
      sources: [createKubernetesSource({ access, clock, random: seededRandom(1) }, { timing: quickTiming })],
    });
    t.teardown(() => plane.close());
    const outbound = { address: '127.0.0.1', port: 15_001 };
    const metadata = { isthmus: { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound } };
    const client = connectXds(`127.0.0.1:${plane.xds.port}`, 'delta', { id: 'caller', metadata });
    t.teardown(() => client.close());
    const proxy = follow(client, 'delta', 'instances/a.example:80', /^(.*)$/);
    await until('the proxy has it', () => proxy.last().includes('10.1.0.201'), 60_000);
    await until('it has confirmed', () =>
      plane
        .status()
        .proxies.some(({ types }) => Object.values(types).every(({ state }) => state === 'SYNCED')),
    );
    proxy.ack(false);
    await api.must('DELETE', pathOf(workload('w-200')));
    await until('the proxy was told', () => proxy.last() !== '' && !proxy.last().includes('10.1.0.201'));
    t.not(plane.deletions.of(ref('w-200')), undefined, 'it is held');
    // Another deletion that nobody has to confirm shows that there was time.
    await api.must('DELETE', pathOf(idc('sh-a')).replace('sh-a', 'none'), undefined, [404]);
    t.strictSame(await finalizersOf('w-200'), [finalizer], 'negative control: while it is not confirmed');
    proxy.ack(true);
    await until('it is gone', async () => (await finalizersOf('w-200')) === 'gone');
  });
});
