import { join } from 'node:path';
import { load } from 'js-yaml';
import t from 'tap';
import { systemClock as clock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { inClusterAccess } from '../../src/kube/config/in-cluster.ts';
import { createKubeClient } from '../../src/kube/kube-client.ts';
import { Registrar } from '../../src/registrar/registrar.ts';
import { createRemotesSource } from '../../src/registrar/remotes/remotes-source.ts';
import { generateCrds } from '../../src/registry/crd/write-crds.ts';
import { Recorder } from '../registry/recorder.ts';
import { withoutKube } from '../support/kube/kube-api.ts';
import { quickRegistrar } from '../support/kube/registrar-world.ts';
import { serviceAccountOf, startApiServer, withoutHelm } from '../support/kube-deploy/api-server.ts';
import { apply, type Manifest, render } from '../support/kube-deploy/chart.ts';
import { until } from '../support/mesh.ts';

// The rights that the chart gives in a Primary and in a Remote: here one API server is both.

const entries = '/apis/networking.istio.io/v1/namespaces/shop/workloadentries';

t.test('the rights of registrars', { skip: withoutHelm() || withoutKube }, async (t) => {
  const folder = t.testdir();
  const server = await startApiServer(join(folder, 'kube'));
  t.teardown(() => server.stop());
  for (const name of ['isthmus-system', 'istio-system', 'shop'])
    await server.call('POST', '/api/v1/namespaces', { metadata: { name } });
  for (const text of Object.values(generateCrds()))
    await server.call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', load(text));
  while ((await server.call('GET', entries)).status !== 200);
  const off = 'webhook.enabled=false,ingress.enabled=false,egress.enabled=false,idc=sh-a';
  const both: Manifest[] = [
    ...(await render('--set', `${off},controlPlane.remotes=istio-system,registrarAccess.clusters={apps-1}`)),
    ...(await render(
      ...['--set', `${off},controlPlane.enabled=false,registrar.enabled=true`],
      ...['--set', 'registrar.cluster=apps-1,registrar.primary.secret=primary'],
    )),
  ];
  for (const object of both) {
    const { status, body } = await apply(server, object, '');
    t.ok(status === 200 || status === 201, `${object.kind} ${object.metadata.name}: ${body.message}`);
  }
  const access = (token: string) => {
    const account = serviceAccountOf(server, join(folder, token), 'isthmus-system', `${token}-token`);
    return inClusterAccess(clock, account.env, account.folder);
  };
  const pod = async (name: string, address: string) => {
    const path = '/api/v1/namespaces/shop/pods';
    await server.call('POST', path, {
      metadata: { name, labels: { 'isthmus.dev/group': 'checkout' } },
      spec: { nodeName: 'n', containers: [{ name: 'app', image: 'app' }] },
    });
    const conditions = [{ type: 'Ready', status: 'True' }];
    const status = { phase: 'Running', podIP: address, podIPs: [{ ip: address }], conditions };
    const { status: code } = await server.call(
      'PATCH',
      `${path}/${name}/status`,
      { status },
      {
        contentType: 'application/merge-patch+json',
      },
    );
    t.equal(code, 200);
  };
  const addresses = async () => {
    const { items } = (await server.call('GET', entries)).body;
    const live = items.filter((one: Manifest) => one.metadata.deletionTimestamp === undefined);
    return live
      .map((one: Manifest) => one.spec.address)
      .sort()
      .join();
  };

  await t.test('are what a registrar needs', async (t) => {
    await pod('web-0', '10.1.0.1');
    const [primary, remote] = [access('isthmus-registrar-apps-1'), access('isthmus-registrar')].map((one) =>
      createKubeClient(one, { clock }),
    );
    const registrar = new Registrar({
      ...{ cluster: 'apps-1', idc: 'sh-a', identity: 'one', namespace: 'isthmus-system', clock },
      ...{ primary: primary as never, remote: remote as never, random: seededRandom(1) },
      ...{ logger: silentLogger, timing: quickRegistrar },
    });
    const stop = new AbortController();
    const ended = registrar.run(stop.signal);
    await until('an entry', async () => (await addresses()) === '10.1.0.1');
    await server.call('DELETE', '/api/v1/namespaces/shop/pods/web-0?gracePeriodSeconds=0');
    await until('no entry', async () => (await addresses()) === '');
    t.strictSame(registrar.status.troubles, []);
    stop.abort();
    await ended;
    primary?.close();
    remote?.close();
  });

  await t.test('are what control planes need for Remotes by Secrets', async (t) => {
    const stop = new AbortController();
    t.teardown(() => stop.abort());
    const seen = new Recorder();
    const source = createRemotesSource({
      ...{ idc: 'sh-a', identity: 'cp', secrets: 'istio-system', clock, random: seededRandom(1) },
      access: () => access('isthmus-controlplane'),
      timing: { registrar: quickRegistrar, staleMs: 60_000, lookMs: 50, removalMs: 300 },
    });
    await source.start(seen, stop.signal);
    const data = { 'apps-2': Buffer.from('kind: Nothing').toString('base64') };
    const labels = { 'istio/multiCluster': 'true' };
    await server.call('POST', '/api/v1/namespaces/istio-system/secrets', {
      metadata: { name: 'apps', labels },
      data,
    });
    await seen.until('it reads Secrets', () =>
      seen.current().some(({ message }) => /is not Config/.test(message)),
    );
    t.equal(seen.current().length, 1, JSON.stringify(seen.current()));
  });

  await t.test('are no more than that', async (t) => {
    const leases = '/apis/coordination.k8s.io/v1/namespaces/isthmus-system/leases';
    const inPrimary = 'isthmus-registrar-apps-1-token';
    const inRemote = 'isthmus-registrar-token';
    const planes = 'isthmus-controlplane-token';
    for (const [token, method, path, status] of [
      [inPrimary, 'GET', `${leases}/isthmus-registrar-apps-1`, 200],
      [inPrimary, 'GET', `${leases}/isthmus-registrar-apps-2`, 403],
      [inPrimary, 'GET', leases, 403],
      [inPrimary, 'DELETE', `${leases}/isthmus-registrar-apps-1`, 403],
      [inPrimary, 'GET', `${entries}/none`, 403],
      [inPrimary, 'GET', '/api/v1/pods', 403],
      [inPrimary, 'GET', '/api/v1/namespaces/istio-system/secrets', 403],
      [inPrimary, 'GET', '/apis/networking.istio.io/v1/serviceentries', 200],
      [inPrimary, 'GET', '/apis/networking.istio.io/v1/destinationrules', 403],
      [inRemote, 'GET', '/api/v1/pods', 200],
      [inRemote, 'GET', '/api/v1/services', 200],
      [inRemote, 'GET', '/apis/discovery.k8s.io/v1/endpointslices', 200],
      [inRemote, 'GET', '/api/v1/configmaps', 403],
      [inRemote, 'GET', '/api/v1/namespaces/shop/pods/none', 403],
      [inRemote, 'DELETE', '/api/v1/namespaces/shop/pods/none', 403],
      [inRemote, 'GET', '/api/v1/namespaces/istio-system/secrets', 403],
      [inRemote, 'GET', entries, 403],
      [inRemote, 'GET', leases, 403],
      [planes, 'GET', '/api/v1/namespaces/istio-system/secrets', 200],
      [planes, 'GET', '/api/v1/namespaces/istio-system/secrets/apps', 403],
      [planes, 'GET', '/api/v1/namespaces/isthmus-system/secrets', 403],
      [planes, 'GET', '/api/v1/secrets', 403],
    ] as const) {
      const ask = () => server.call(method, path, undefined, { token });
      let answer = await ask();
      // The cache of a kind is made when it is asked for first.
      while (answer.status === 429) answer = await ask();
      t.equal(answer.status, status, `${token}: ${method} ${path}`);
    }
  });
});
