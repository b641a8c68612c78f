import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { RawMap } from '../../src/base/raw-map.ts';
import { injectPod } from '../../src/inject/inject-pod.ts';
import { type InjectSettings, injectDefaults } from '../../src/inject/settings.ts';
import { makeServingPair } from '../../src/inject/webhook/certificate.ts';
import { certificateTimes } from '../../src/inject/webhook/certificate-keeper.ts';
import { diffJson } from '../../src/inject/webhook/json-patch.ts';
import { readReview } from '../../src/inject/webhook/review.ts';
import { startWebhook, type Webhook } from '../../src/inject/webhook/webhook-server.ts';
import { inClusterAccess } from '../../src/kube/config/in-cluster.ts';
import { createKubeClient } from '../../src/kube/kube-client.ts';
import { generateCrds } from '../../src/registry/crd/write-crds.ts';
import { drGroup, workload } from '../registry/objects.ts';
import { withoutKube } from '../support/kube/kube-api.ts';
import { type ApiServer, serviceAccountOf, startApiServer } from '../support/kube-deploy/api-server.ts';
import { freePort } from '../support/port.ts';

t.test('a patch makes the one of the other', async (t) => {
  const before = { a: 1, b: { 'c/d~e': [1, { x: 1 }], gone: 0 }, same: [{ y: 1, z: 2 }] };
  const after = { a: 2, b: { 'c/d~e': [1] }, same: [{ z: 2, y: 1 }], more: {} };
  t.strictSame(diffJson(before, after), [
    { op: 'replace', path: '/a', value: 2 },
    { op: 'remove', path: '/b/gone' },
    { op: 'replace', path: '/b/c~1d~0e', value: [1] },
    { op: 'add', path: '/more', value: {} },
  ]);
  t.strictSame(diffJson(before, before), []);
});

t.test('what is no review is refused', async (t) => {
  for (const text of ['', '{', '[]', '{"apiVersion":"admission.k8s.io/v1beta1","request":{"uid":"u"}}'])
    t.throws(() => readReview(text), /is not an AdmissionReview/);
});

const settings: InjectSettings = {
  ...{ idc: 'sh-a', xds: [{ address: '10.1.0.9', port: 15010 }], ...injectDefaults },
  ...{ readinessGate: 'group', ipv6: true },
};
const [mutating, validating] = ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'];
const configurations = [`${mutating}/isthmus`, `${validating}/isthmus`];
const admission = '/apis/admissionregistration.k8s.io/v1';

/** Webhook configurations of the chart's form, at a port of this machine. */
async function configure(server: ApiServer, port: number, failurePolicy: 'Fail' | 'Ignore'): Promise<void> {
  const common = (name: string) => ({
    ...{ name, admissionReviewVersions: ['v1'], sideEffects: 'None', timeoutSeconds: 2, failurePolicy },
  });
  const at = (path: string) => ({ url: `https://127.0.0.1:${port}${path}` });
  const kinds = (resources: string[]) => ({
    operations: ['CREATE', 'UPDATE'],
    apiVersions: ['*'],
    resources,
  });
  const put = async (configuration: string, kind: string, webhooks: object[]) => {
    await server.call('DELETE', `${admission}/${configuration}/isthmus`);
    const object = {
      kind,
      apiVersion: 'admissionregistration.k8s.io/v1',
      metadata: { name: 'isthmus' },
      webhooks,
    };
    const { status, body } = await server.call('POST', `${admission}/${configuration}`, object);
    t.equal(status, 201, body.message);
  };
  await put(mutating, 'MutatingWebhookConfiguration', [
    {
      ...{ ...common('inject.isthmus.dev'), clientConfig: at('/mutate'), reinvocationPolicy: 'IfNeeded' },
      namespaceSelector: { matchLabels: { 'isthmus.dev/rev': 'default' } },
      rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
    },
  ]);
  await put(validating, 'ValidatingWebhookConfiguration', [
    {
      ...{ ...common('validate.isthmus.dev'), clientConfig: at('/validate') },
      rules: [
        { apiGroups: ['isthmus.dev'], ...kinds(['*']) },
        {
          apiGroups: ['networking.istio.io'],
          ...kinds(['workloadentries', 'serviceentries', 'destinationrules']),
        },
      ],
    },
  ]);
}

const podSpec = { containers: [{ name: 'app', image: 'shop:1' }] };
const podsOf = (namespace: string) => `/api/v1/namespaces/${namespace}/pods`;
const createPod = (server: ApiServer, namespace: string, metadata: object, spec: object = podSpec) =>
  server.call('POST', `${podsOf(namespace)}?dryRun=All`, { metadata: { name: 'p', ...metadata }, spec });
const proxies = (pod: { spec: { initContainers?: RawMap[] } }) =>
  (pod.spec.initContainers ?? []).map(({ name }) => name);

/** Until the API server asks the webhook, which it does a moment after a configuration was written. */
async function untilInjected(server: ApiServer): Promise<void> {
  for (;;) {
    const { status, body } = await createPod(server, 'mesh', {});
    if (status === 201 && proxies(body).length > 0) return;
    await sleep(50);
  }
}

/** The certificate that the webhook shows. */
async function shown(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

t.test('admission by a real API server', { skip: withoutKube }, async (t) => {
  const folder = t.testdir();
  const server = await startApiServer(join(folder, 'kube'));
  t.teardown(() => server.stop());
  for (const text of Object.values(generateCrds())) {
    const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    await server.call('POST', path, text, { contentType: 'application/yaml' });
  }
  const namespaces = [
    { name: 'mesh', labels: { 'isthmus.dev/rev': 'default' } },
    { name: 'plain' },
    { name: 'isthmus-system' },
  ];
  for (const metadata of namespaces) await server.call('POST', '/api/v1/namespaces', { metadata });
  const account = serviceAccountOf(server, join(folder, 'account'), 'isthmus-system');
  const port = await freePort();
  await configure(server, port, 'Fail');

  const start = async (more: { clock?: Clock; port?: number } = {}): Promise<Webhook> => {
    const access = inClusterAccess(systemClock, account.env, account.folder);
    const api = createKubeClient(access, { clock: systemClock });
    const certificate = {
      ...{ secret: 'webhook', namespace: 'isthmus-system' },
      ...{ names: ['127.0.0.1'], configurations },
    };
    const listen = { address: '127.0.0.1', port: more.port ?? port };
    const hook = await startWebhook(
      api,
      { listen, settings, certificate },
      { clock: more.clock ?? systemClock, logger: silentLogger },
    );
    return {
      address: hook.address,
      async close() {
        await hook.close();
        api.close();
      },
    };
  };

  await t.test(
    'control: without the webhook no Pod comes into its namespaces, others are not concerned',
    async (t) => {
      const { status, body } = await createPod(server, 'mesh', {});
      t.equal(status, 500);
      t.match(body.message, /failed calling webhook "inject\.isthmus\.dev"/);
      t.equal((await createPod(server, 'plain', {})).status, 201);
    },
  );

  const hook = await start();
  await t.test('the certificate is made, kept and believed by itself', async (t) => {
    await untilInjected(server);
    const { body } = await server.call('GET', '/api/v1/namespaces/isthmus-system/secrets/webhook');
    t.strictSame(Object.keys(body.data).sort(), ['tls.crt', 'tls.key']);
    for (const path of configurations)
      t.equal(
        (await server.call('GET', `${admission}/${path}`)).body.webhooks[0].clientConfig.caBundle,
        body.data['tls.crt'],
      );
  });

  await t.test('a Pod is injected as the command does', async (t) => {
    const { body } = await createPod(server, 'mesh', {});
    const offline = injectPod({ metadata: { name: 'p' }, spec: podSpec }, settings, 'mesh');
    t.equal(offline.outcome, 'injected');
    if (offline.outcome !== 'injected') return;
    const { initContainers } = offline.pod.spec as { initContainers: RawMap[] };
    t.match(body.spec.initContainers, initContainers);
    t.match(body.metadata, { labels: { 'isthmus.dev/rev': 'default' } });
    const called = await createPod(server, 'mesh', {
      ...{ name: undefined, generateName: 'p-', labels: { 'isthmus.dev/group': 'checkout' } },
      annotations: { 'isthmus.dev/app-port': '8080' },
    });
    t.match(called.body.spec, {
      readinessGates: [{ conditionType: 'isthmus.dev/propagated' }],
      containers: [{ lifecycle: { preStop: { sleep: { seconds: 5 } } } }],
      terminationGracePeriodSeconds: 35,
    });
  });

  await t.test(
    'Pods that opted out or have the network of their node stay; faulty ones are refused',
    async (t) => {
      const out = await createPod(server, 'mesh', { labels: { 'isthmus.dev/inject': 'false' } });
      t.strictSame([out.status, proxies(out.body)], [201, []]);
      const host = await createPod(server, 'mesh', {}, { ...podSpec, hostNetwork: true });
      t.strictSame([host.status, proxies(host.body)], [201, []]);
      const faulty = await createPod(server, 'mesh', {
        annotations: { 'isthmus.dev/app-prt': '1', 'isthmus.dev/capture': 'on' },
      });
      t.equal(faulty.status, 422);
      t.match(faulty.body.message, /app-prt.*Did you mean 'app-port'.*capture.*must be true or false/);
    },
  );

  const groups = '/apis/isthmus.dev/v1alpha1/drgroups';
  const faulty = { ...drGroup('g', ['a.example'], 'sh-a', 'sh-b'), metadata: { name: 'g' } };
  const wrong = { ...faulty, spec: { ...faulty.spec, traffic: { health: { grpc: 5, path: '/x' } } } };

  await t.test('an object is checked as isthmus validate does, beyond what its CRD says', async (t) => {
    t.equal((await server.call('POST', `${groups}?dryRun=All`, faulty)).status, 201);
    const refused = await server.call('POST', `${groups}?dryRun=All`, wrong);
    t.equal(refused.status, 422);
    t.match(
      refused.body.message,
      /denied the request: spec\.traffic\.health\.grpc: must be true, for the whole server/,
    );
    const entries = '/apis/networking.istio.io/v1/namespaces/plain/workloadentries?dryRun=All';
    const at = { name: 'w', namespace: 'plain' };
    const warned = await server.call('POST', entries, { ...workload('w', { weight: 0 }), metadata: at });
    t.equal(warned.status, 201);
    t.match(warned.warnings.join(), /spec\.weight: 0 means/);
    const annotated = { ...workload('w'), metadata: { ...at, annotations: { 'isthmus.dev/timeout': '1s' } } };
    t.match(
      (await server.call('POST', entries, annotated)).body.message,
      /annotations of Isthmus belong on a ServiceEntry/,
    );
  });

  await t.test('objects of another revision are let in', async (t) => {
    const other = { ...wrong, metadata: { name: 'g', labels: { 'isthmus.dev/rev': 'canary' } } };
    t.equal((await server.call('POST', `${groups}?dryRun=All`, other)).status, 201);
    const own = { ...wrong, metadata: { name: 'g', labels: { 'isthmus.dev/rev': 'default' } } };
    t.equal((await server.call('POST', `${groups}?dryRun=All`, own)).status, 422);
  });

  await t.test('a second replica serves with the same certificate', async (t) => {
    const second = await start({ port: await freePort() });
    t.equal(await shown(second.address.port), await shown(port));
    await second.close();
  });
  await hook.close();

  await t.test('an object that was never valid can still lose its finalizer, and go', async (t) => {
    await configure(server, port, 'Ignore');
    const kept = { ...wrong, metadata: { name: 'g', finalizers: ['isthmus.dev/propagated'] } };
    t.equal((await server.call('POST', groups, kept)).status, 201, 'Ignore: while nobody checks');
    const again = await start();
    await untilInjected(server);
    t.equal((await server.call('DELETE', `${groups}/g`)).status, 200);
    const patch = [{ op: 'remove', path: '/metadata/finalizers/0' }];
    const merge = { contentType: 'application/json-patch+json' };
    const touched = await server.call(
      'PATCH',
      `${groups}/g`,
      [{ op: 'replace', path: '/spec/hosts/0', value: 'b' }],
      merge,
    );
    t.equal(touched.status, 422, 'a change of it is checked');
    t.equal((await server.call('PATCH', `${groups}/g`, patch, merge)).status, 200);
    t.equal((await server.call('GET', `${groups}/g`)).status, 404);
    await again.close();
    const without = await createPod(server, 'mesh', {});
    t.strictSame(
      [without.status, proxies(without.body)],
      [201, []],
      'Ignore: a Pod starts without its sidecar',
    );
  });

  await t.test(
    'a certificate that ends is replaced: the next is believed, then used, and no request fails',
    async (t) => {
      await configure(server, port, 'Fail');
      const now = systemClock.wall();
      const old = await makeServingPair(['127.0.0.1'], {
        notBefore: now - 60_000,
        notAfter: now + certificateTimes.renewMs - 1,
      });
      const encoded = (text: string) => Buffer.from(text).toString('base64');
      const path = '/api/v1/namespaces/isthmus-system/secrets/webhook';
      const data = { 'tls.crt': encoded(old.certificate), 'tls.key': encoded(old.key) };
      await server.call('PUT', path, { metadata: { name: 'webhook' }, data });
      let offset = 0;
      const due: (() => void)[] = [];
      const clock: Clock = {
        now: () => systemClock.now(),
        wall: () => systemClock.wall() + offset,
        after(_, fn) {
          due.push(fn);
          return { cancel: () => 0 };
        },
      };
      const hook = await start({ clock });
      await untilInjected(server);
      const before = await shown(port);
      const { body } = await server.call('GET', path);
      t.strictSame([body.data['tls.crt'], 'next.crt' in body.data], [data['tls.crt'], true]);
      /** A look of the keeper from its beginning to its end, with Pods created meanwhile. */
      const look = async () => {
        due.shift()?.();
        while (due.length === 0) t.equal((await createPod(server, 'mesh', {})).status, 201);
      };
      const believed = async () => {
        const { body } = await server.call('GET', `${admission}/${configurations[0]}`);
        const [{ clientConfig }] = body.webhooks;
        return Buffer.from(clientConfig.caBundle, 'base64').toString().match(/BEGIN/g)?.length;
      };
      t.equal(await believed(), 2, 'the next one is believed, too');
      await look();
      t.equal(await shown(port), before, 'and not used before all API servers believe it');
      offset = certificateTimes.settleMs + 1;
      await look();
      t.not(await shown(port), before);
      t.equal(await believed(), 2, 'the old one still is: other replicas may use it');
      t.equal((await server.call('GET', path)).body.data['tls.crt'], body.data['next.crt']);
      offset = 2 * certificateTimes.settleMs + 1;
      await look();
      t.equal(await believed(), 1);
      for (let i = 0; i < 20; i += 1) t.equal((await createPod(server, 'mesh', {})).status, 201);
      await hook.close();
    },
  );

  await t.test('the command runs it, and ends by SIGTERM', async (t) => {
    const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
    const args = [
      ...[main, 'webhook', '--idc', 'sh-a', '--xds', '10.1.0.9:15010', '--listen', `127.0.0.1:${port}`],
      ...['--name', '127.0.0.1', '--mutating', 'isthmus', '--validating', 'isthmus', '--secret', 'command'],
      ...['--service-account', account.folder],
    ];
    const child = spawn(process.execPath, args, { env: { ...process.env, ...account.env }, stdio: 'ignore' });
    await untilInjected(server);
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    t.equal(code, 0);
  });
});
