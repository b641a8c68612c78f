import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { systemClock as clock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { readKubeconfig } from '../../src/kube/config/kubeconfig.ts';
import { startControlPlane } from '../../src/plane/controlplane.ts';
import type { RemotesTiming } from '../../src/registrar/remotes/remotes.ts';
import { createRemotesSource } from '../../src/registrar/remotes/remotes-source.ts';
import { createKubernetesSource } from '../../src/registry/kubernetes/kubernetes-source.ts';
import { idc } from '../registry/objects.ts';
import { Recorder } from '../registry/recorder.ts';
import { adminToken, type KubeApi, limitedToken, withoutKube } from '../support/kube/kube-api.ts';
import { defineKinds, putObject } from '../support/kube/kube-kinds.ts';
import { quickTiming, watchWorld } from '../support/kube/kube-world.ts';
import { quickRegistrar, startClusters, startRegistrar } from '../support/kube/registrar-world.ts';
import { addReadyPod, addressesOf, entriesOf, releaseAll, removePod } from '../support/kube/remote.ts';
import { until } from '../support/mesh.ts';

const secrets = '/api/v1/namespaces/istio-system/secrets';
const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
const quick: RemotesTiming = { registrar: quickRegistrar, staleMs: 1_500, lookMs: 50, removalMs: 300 };
const sameAs = (expected: readonly string[], found: readonly string[]) => expected.join() === found.join();

/** A kubeconfig as `istioctl create-remote-secret` writes it. */
function remoteConfig(api: KubeApi, user: Record<string, unknown> = { token: adminToken }, server = api.url) {
  const authority = readFileSync(api.caFile).toString('base64');
  return JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'c' },
    clusters: [{ name: 'k', cluster: { server, 'certificate-authority-data': authority } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
  });
}

async function putSecret(primary: KubeApi, name: string, data: Record<string, string>): Promise<void> {
  const encoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  const body = {
    metadata: { name, labels: { 'istio/multiCluster': 'true' } },
    data: Object.fromEntries(encoded),
  };
  const { status } = await primary.call('POST', secrets, body);
  if (status === 409) await primary.must('PUT', `${secrets}/${name}`, body);
}

/** Control planes' Remotes; they end with the test. */
function startRemotes(t: Test, primary: KubeApi, identity: string, timing: RemotesTiming = quick) {
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const seen = new Recorder();
  const source = createRemotesSource({
    ...{ idc: 'sh-a', identity, secrets: 'istio-system', clock, random: seededRandom(1), timing },
    access: () => readKubeconfig({ file: primary.kubeconfig() }, clock),
  });
  void source.start(seen, stop.signal);
  const tells =
    (code: string, words = /./) =>
    () =>
      seen.current().some((one) => one.code === code && words.test(one.message));
  return { seen, tells, stop: () => stop.abort() };
}

t.test('Remotes by Secrets', { skip: withoutKube }, async (t) => {
  const clusters = await startClusters(t);
  const { primary, remote } = clusters;
  await defineKinds(primary);
  await primary.must('POST', '/api/v1/namespaces', { metadata: { name: 'istio-system' } });
  const has = (...addresses: string[]) =>
    until(`the entries ${addresses}`, async () => sameAs(addresses, await addressesOf(primary)), 30_000);
  for (const at of [1, 2, 3]) await addReadyPod(remote, `web-${at}`, `10.1.0.${at}`);

  await t.test(
    'added: registered; rotated: nothing changes; a wrong one: the one before stays in use',
    async (t) => {
      const { seen, tells, stop } = startRemotes(t, primary, 'one');
      await putSecret(primary, 'apps', { 'apps-1': remoteConfig(remote) });
      await has('10.1.0.1', '10.1.0.2', '10.1.0.3');
      const world = watchWorld(t, primary.kubeconfig());
      await world.started;
      const told = world.seen.all.length;

      await putSecret(primary, 'apps', { 'apps-1': remoteConfig(remote, { token: limitedToken }) });
      await seen.until('what it may not do', tells('RemoteNotRead', /list, watch.*the one before is in use/));
      await putSecret(primary, 'apps', { 'apps-1': 'kind: Nothing' });
      await seen.until(
        'what it is not',
        tells('RemoteNotRead', /Secret istio-system\/apps.*kind: is not Config/),
      );
      const exec = { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: '/bin/true' } };
      await putSecret(primary, 'apps', { 'apps-1': remoteConfig(remote, exec) });
      await seen.until(
        'no plugin is run',
        tells('RemoteNotRead', /users\[0\]\.user\.exec: is not taken from/),
      );
      await removePod(remote, 'web-3');
      await has('10.1.0.1', '10.1.0.2');
      await putSecret(primary, 'apps', {
        'apps-1': remoteConfig(remote, { token: adminToken, note: 'another text' }),
      });
      await seen.until('nothing is wrong', () => seen.current().length === 0);
      await addReadyPod(remote, 'web-4', '10.1.0.4');
      await has('10.1.0.1', '10.1.0.2', '10.1.0.4');
      await world.seen.until('both changes', () => world.seen.all.length >= told + 2);
      t.strictSame(
        world.seen
          .log()
          .slice(told)
          .map((one) => one.replace(/apps-1-(web-\d).*/, '$1'))
          .sort(),
        ['+WorkloadEntry/shop/web-4', '-WorkloadEntry/shop/web-3'],
        'rotation touched nothing',
      );
      await releaseAll(primary);

      await primary.must('DELETE', `${secrets}/apps`);
      await seen.until('that it is leaving', tells('RemoteRemoved'));
      await putSecret(primary, 'apps', { 'apps-1': remoteConfig(remote) });
      await seen.until('that it is not', () => !tells('RemoteRemoved')());
      t.equal(world.seen.all.length, told + 2, 'deleted and created again: nothing changes');
      stop();
    },
  );

  await t.test('a Remote that is away is stale, with a time; all stays', async (t) => {
    const { seen, tells, stop } = startRemotes(t, primary, 'two');
    await until(
      'it is registered',
      async () => {
        const { spec } = (await primary.must('GET', `${leases}/isthmus-registrar-apps-1`)) as {
          spec: { holderIdentity: string };
        };
        return spec.holderIdentity === 'two';
      },
      30_000,
    );
    await seen.until('nothing is wrong', () => seen.current().length === 0);
    await remote.stopServer();
    await seen.until(
      'its time',
      tells('RemoteStale', /apps-1 was last heard of at 20\d\d-.*Z: .*stay/),
      20_000,
    );
    t.strictSame(await addressesOf(primary), ['10.1.0.1', '10.1.0.2', '10.1.0.4']);

    // A control plane that starts now.
    await putObject(primary, idc('sh-a'));
    const access = () => readKubeconfig({ file: primary.kubeconfig() }, clock);
    const base = { clock, random: seededRandom(1), access };
    const plane = await startControlPlane({
      ...{ idc: 'sh-a', xds: { address: '127.0.0.1', port: 0 }, hopLimit: 1, clock, logger: silentLogger },
      sources: [
        createKubernetesSource(base, { timing: quickTiming }),
        createRemotesSource({
          ...base,
          idc: 'sh-a',
          identity: 'three',
          secrets: 'istio-system',
          timing: quick,
        }),
      ],
    });
    t.teardown(() => plane.close());
    await until('ready without it', () => plane.status().ready, 60_000);
    await until('it says so', () => plane.problems().some(({ code }) => code === 'RemoteStale'));
    await plane.close();
    await remote.startServer();
    await seen.until('that it is back', () => seen.current().length === 0, 60_000);
    stop();
  });

  await t.test(
    'removed while no control plane ran: withdrawn, each kept until proxies have confirmed',
    async (t) => {
      await primary.must('DELETE', `${secrets}/apps`);
      const { seen, tells, stop } = startRemotes(t, primary, 'four');
      await seen.until('it is told', tells('RemoteRemoved', /create the Secret again/), 30_000);
      await has();
      t.ok(
        (await entriesOf(primary)).every(({ metadata }) => metadata.deletionTimestamp),
        'kept by finalizers',
      );
      await releaseAll(primary);
      await seen.until('it is over', () => seen.current().length === 0);
      await until('its Lease is free, and says so', async () => {
        const { metadata, spec } = (await primary.must('GET', `${leases}/isthmus-registrar-apps-1`)) as {
          metadata: { annotations: Record<string, string> };
          spec: { holderIdentity: string };
        };
        return spec.holderIdentity === '' && metadata.annotations['registrar.isthmus.dev/by'] === 'nobody';
      });
      stop();
    },
  );

  await t.test('with a registrar of its own at work nothing is withdrawn', async (t) => {
    await putSecret(primary, 'apps', { 'apps-1': 'kind: Nothing' });
    const { registrar, end } = startRegistrar(t, clusters, { identity: 'own' });
    await has('10.1.0.1', '10.1.0.2', '10.1.0.4');
    t.equal(registrar.status.isActive, true);
    const { seen, tells, stop } = startRemotes(t, primary, 'five');
    await seen.until('what is wrong', tells('RemoteNotRead'));
    await putSecret(primary, 'apps', { 'apps-1': remoteConfig(remote) });
    await seen.until('it is in use', () => seen.current().length === 0);
    await primary.must('DELETE', `${secrets}/apps`);
    await seen.until('it has no Secret any more', tells('RemoteRemoved'));
    await seen.until('that is all', () => seen.current().length === 0);
    await end();
    t.strictSame(await addressesOf(primary), ['10.1.0.1', '10.1.0.2', '10.1.0.4']);
    stop();
  });

  await t.test('faults of Secrets are told; the others go on', async (t) => {
    await putSecret(primary, 'a', { 'apps-1': remoteConfig(remote) });
    await putSecret(primary, 'b', { 'apps-1': remoteConfig(remote), Bad_Name: 'x' });
    await putSecret(primary, 'c', {});
    // Nobody listens there.
    await putSecret(primary, 'd', { 'apps-d': remoteConfig(remote, {}, 'https://127.0.0.1:1') });
    const { seen, tells, stop } = startRemotes(t, primary, 'six');
    await seen.until(
      'a double',
      tells('RemoteNotRead', /\/b: data\["apps-1"\]: Secret istio-system\/a has that/),
    );
    await seen.until('a name', tells('RemoteNotRead', /data: .Bad_Name. is not a name for a cluster/));
    await seen.until('nothing in it', tells('RemoteNotRead', /\/c: data: is empty/));
    await seen.until('nobody there', tells('RemoteNotRead', /127\.0\.0\.1:1 cannot be reached/));
    await addReadyPod(remote, 'web-6', '10.1.0.6');
    await has('10.1.0.1', '10.1.0.2', '10.1.0.4', '10.1.0.6');
    stop();
  });
});

t.test('the kinds of a Primary that has no Secrets of Remotes yet', { skip: withoutKube }, async (t) => {
  const { primary } = await startClusters(t);
  await defineKinds(primary);
  const { seen } = startRemotes(t, primary, 'one');
  await seen.until('it holds up no start', () => seen.log().includes('synced'));
  t.strictSame(seen.current(), []);
});
