import t from 'tap';
import { withoutKube } from '../support/kube/kube-api.ts';
import { proxyKubeconfig, startKubeProxy } from '../support/kube/kube-proxy.ts';
import { watchWorld } from '../support/kube/kube-world.ts';
import { quickRegistrar, startClusters, startRegistrar } from '../support/kube/registrar-world.ts';
import { addReadyPod, addressesOf, entriesOf, releaseAll, removePod } from '../support/kube/remote.ts';
import { until } from '../support/mesh.ts';

const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
const entries = '/apis/networking.istio.io/v1/namespaces/shop/workloadentries';
const sameAs = (expected: readonly string[], found: readonly string[]) => expected.join() === found.join();

t.test('one registrar of a cluster writes', { skip: withoutKube }, async (t) => {
  const clusters = await startClusters(t);
  const { primary, remote } = clusters;
  const has = (...addresses: string[]) =>
    until(`the entries ${addresses}`, async () => sameAs(addresses, await addressesOf(primary)));
  const holder = async (cluster: string) =>
    (
      (await primary.must('GET', `${leases}/isthmus-registrar-${cluster}`)) as {
        spec: { holderIdentity: string };
      }
    ).spec.holderIdentity;

  await t.test('its death: entries stay; another one takes over, and does what was missed', async (t) => {
    for (const at of [1, 2, 3]) await addReadyPod(remote, `web-${at}`, `10.1.0.${at}`);
    const first = startRegistrar(t, clusters, { identity: 'first' });
    await has('10.1.0.1', '10.1.0.2', '10.1.0.3');
    const second = startRegistrar(t, clusters, { identity: 'second' });
    await until('it is ready', () => second.registrar.status.isReady);
    t.equal(second.registrar.status.isActive, false, 'ready, and does nothing');
    const { seen, started } = watchWorld(t, primary.kubeconfig());
    await started;
    first.kill();
    const told = seen.all.length;
    await removePod(remote, 'web-3');
    await addReadyPod(remote, 'web-4', '10.1.0.4');
    t.strictSame(await addressesOf(primary), ['10.1.0.1', '10.1.0.2', '10.1.0.3'], 'nobody writes yet');
    await until('the other one has taken over', () => second.registrar.status.isActive, 30_000);
    await has('10.1.0.1', '10.1.0.2', '10.1.0.4');
    await seen.until('both changes', () => seen.all.length >= told + 2);
    t.strictSame(
      seen
        .log()
        .slice(told)
        .map((one) => one.replace(/apps-1-(web-\d).*/, '$1'))
        .sort(),
      ['+WorkloadEntry/shop/web-4', '-WorkloadEntry/shop/web-3'],
      'those that stayed were not touched: there was no moment without them',
    );
    const terms = (await entriesOf(primary)).map(
      ({ metadata, spec }) =>
        `${spec.address} ${metadata.annotations['registrar.isthmus.dev/term']?.split('/')[1]}`,
    );
    t.ok(terms.includes('10.1.0.1 0') && terms.includes('10.1.0.4 1'), terms.join(', '));
    await second.end();
    t.equal(await holder('apps-1'), '', 'stopped in order, it gives the Lease back');
  });

  await t.test('a former holder that does not know it yet leaves alone what a later one wrote', async (t) => {
    await releaseAll(primary);
    const proxy = await startKubeProxy(t, remote);
    const old = startRegistrar(t, clusters, {
      // It holds the Lease for an hour by its own count, and does not ask again.
      timing: { ...quickRegistrar, lease: { renewMs: 1_000_000, durationMs: 4_600_000 } },
      ...{ identity: 'old', remote: proxyKubeconfig(remote, proxy) },
    });
    await until('it holds the Lease', () => old.registrar.status.isActive && old.registrar.status.isReady);
    // From now on it hears nothing of the Remote.
    proxy.spoil = () => ({ answer: { status: 503, body: 'no' } });
    proxy.cut();
    await primary.must('PATCH', `${leases}/isthmus-registrar-apps-1`, { spec: { holderIdentity: '' } });
    const next = startRegistrar(t, clusters, { identity: 'next' });
    await until('both believe that they hold it', () => next.registrar.status.isActive);
    t.equal(old.registrar.status.isActive, true);
    await remote.must('PATCH', '/api/v1/namespaces/shop/pods/web-1', {
      metadata: { labels: { version: 'v2' } },
    });
    const find = async () => (await entriesOf(primary)).find(({ spec }) => spec.address === '10.1.0.1');
    await until('the later one has written', async () => (await find())?.spec.labels.version === 'v2');
    await until('the former one says why it does not', () =>
      old.registrar.status.troubles.some((one) => one.includes('were written under a later term')),
    );
    await removePod(remote, 'web-2');
    await has('10.1.0.1', '10.1.0.4');
    await releaseAll(primary);
    await next.end();
    t.equal((await find())?.spec.labels.version, 'v2');

    // Negative control: without a term it writes what it knows, which is old.
    const name = (await find())?.metadata.name;
    const term = { 'registrar.isthmus.dev/term': null };
    await primary.must('PATCH', `${entries}/${name}`, { metadata: { annotations: term } });
    await until('the old labels', async () => (await find())?.spec.labels.version === undefined);
    await old.end();
  });

  await t.test('what was written of a later version of a Pod is not overwritten', async (t) => {
    const proxy = await startKubeProxy(t, remote);
    await primary.must('DELETE', `${leases}/isthmus-registrar-apps-1`);
    const { registrar } = startRegistrar(t, clusters, { remote: proxyKubeconfig(remote, proxy) });
    await until('nothing is left to do', async () => {
      await releaseAll(primary);
      return registrar.status.isActive && sameAs(['10.1.0.1', '10.1.0.4'], await addressesOf(primary));
    });
    const find = async () => (await entriesOf(primary)).find(({ spec }) => spec.address === '10.1.0.1');
    const name = (await find())?.metadata.name;
    const annotations = (generation: string) => ({
      metadata: { annotations: { 'registrar.isthmus.dev/generation': generation } },
    });
    await primary.must('PATCH', `${entries}/${name}`, { ...annotations('99'), spec: { weight: 5 } });
    await addReadyPod(remote, 'web-5', '10.1.0.5');
    await has('10.1.0.1', '10.1.0.4', '10.1.0.5');
    t.equal((await find())?.spec.weight, 5, 'its own Pod is older');
    await primary.must('PATCH', `${entries}/${name}`, annotations('0'));
    await until(
      'control: of an earlier version it is',
      async () => (await find())?.spec.weight === undefined,
    );
  });
});
