import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { bootstrapCommand } from '../../src/cli/commands/bootstrap.ts';
import { registrarCommand } from '../../src/cli/commands/kube/registrar.ts';
import { webhookCommand } from '../../src/cli/commands/kube/webhook.ts';
import { injectDefaults } from '../../src/inject/settings.ts';
import { startWebhook } from '../../src/inject/webhook/webhook-server.ts';
import { inClusterAccess } from '../../src/kube/config/in-cluster.ts';
import { createKubeClient } from '../../src/kube/kube-client.ts';
import { generateCrds } from '../../src/registry/crd/write-crds.ts';
import { withoutKube } from '../support/kube/kube-api.ts';
import {
  type ApiServer,
  helm,
  serviceAccountOf,
  startApiServer,
  withoutHelm,
} from '../support/kube-deploy/api-server.ts';
import { apply, chart, kube, render } from '../support/kube-deploy/chart.ts';

const run = promisify(execFile);

const sets: Readonly<Record<string, readonly string[]>> = {
  'the defaults': ['--set', 'idc=sh-a'],
  'a canary': ['--set', 'idc=sh-a,revision=canary,webhook.failurePolicy=Ignore,webhook.readinessGate=group'],
  'all that is optional': [
    ...['--set', 'idc=sh-a,controlPlane.adminTokenSecret=token,priorityClassName=system-cluster-critical'],
    ...[
      '--set',
      'ingress.service.type=ClusterIP,ingress.service.clusterIP=10.0.7.1,egress.service.clusterIP=10.0.7.2',
    ],
    ...['--set', 'controlPlane.adminNamespaces.team=mesh,nodeSelector.a=b,tolerations[0].operator=Exists'],
    ...['--set', 'webhook.template.spec.priorityClassName=high,imagePullSecrets[0].name=pull,image.tag=v2'],
    ...['--set', 'controlPlane.args[0]=--log-level=debug'],
  ],
  'some namespaces': [...['--set', 'idc=sh-a,controlPlane.discoveryNamespaces=mesh in (on\\,test)']],
  'a Primary with Remotes': [
    ...['--set', 'idc=sh-a,controlPlane.remotes=other,registrarAccess.clusters={apps-1,apps.2}'],
  ],
  'a Remote': [
    ...['--set', 'idc=sh-a,controlPlane.enabled=false,controlPlane.address=10.0.0.9:15010'],
    ...['--set', 'registrar.enabled=true,registrar.cluster=apps-1,registrar.primary.secret=primary'],
    ...['--set', 'serviceMonitor.enabled=false'],
  ],
  little: [
    '--set',
    'idc=sh-a,webhook.enabled=false,ingress.enabled=false,egress.enabled=false,networkPolicies.enabled=false',
  ],
};

t.test('the chart', { skip: withoutHelm() }, async (t) => {
  await t.test('is without faults for its linter, and names what values are wrong', async (t) => {
    const lint = (...flags: string[]) => run(helm, ['lint', '--strict', chart, ...kube, ...flags]);
    await lint('--set', 'idc=sh-a');
    for (const [flag, words] of [
      ['idc=', /idc/],
      ['idc=Sh_A', /idc/],
      ['idc=a,controlPlane.replica=3', /replica/],
      ['idc=a,webhook.failurePolicy=Maybe', /failurePolicy/],
      ['idc=a,ingress.service.edgePort=0', /edgePort/],
      ['idc=a,registrarAccess.clusters={A_b}', /clusters/],
    ] as const)
      t.match(
        await lint('--set', flag).then(
          () => 'no fault',
          ({ stdout, stderr }) => `${stdout}${stderr}`,
        ),
        words,
        flag,
      );
  });

  await t.test('what a Remote needs is asked for', async (t) => {
    for (const [flag, words] of [
      ['idc=a,controlPlane.enabled=false', /controlPlane\.address: give HOST:PORT/],
      ['idc=a,registrar.enabled=true', /registrar\.cluster: give the name/],
      ['idc=a,registrar.enabled=true,registrar.cluster=b', /registrar\.primary\.secret: give the Secret/],
    ] as const)
      await t.rejects(render('--set', flag), { message: words }, flag);
  });

  await t.test('what it runs are options of the commands', async (t) => {
    const manifests = await render(...(sets['all that is optional'] ?? []));
    const args = manifests.flatMap(({ kind, spec }) =>
      kind === 'Deployment'
        ? [...(spec.template.spec.initContainers ?? []), ...spec.template.spec.containers].map(
            (one) => one.args,
          )
        : [],
    );
    const namesOf = (list: string[]) =>
      list.filter((arg) => arg.startsWith('--')).map((arg) => arg.split('=')[0] as string);
    const known = (command: ReturnType<typeof webhookCommand>) => command.options.map(({ long }) => long);
    const webhook = args.find(([first]) => first === 'webhook') as string[];
    t.strictSame(
      namesOf(webhook).filter((name) => !known(webhookCommand()).includes(name)),
      [],
    );
    const [registrar] = (await render(...(sets['a Remote'] ?? []))).filter(
      ({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'isthmus-registrar',
    );
    const asked = namesOf(registrar.spec.template.spec.containers[0].args);
    t.strictSame(
      asked.filter((name) => !known(registrarCommand()).includes(name)),
      [],
    );
    const bootstraps = args.filter(([first]) => first?.startsWith('--role='));
    t.equal(bootstraps.length, 2);
    for (const list of bootstraps) {
      t.strictSame(
        namesOf(list).filter((name) => !known(bootstrapCommand()).includes(name)),
        [],
      );
      // What it writes is what Envoy is given, but for the name and the limit of the machine.
      let text = '';
      const flags = list
        .filter((arg: string) => arg !== '--max-heap=cgroup')
        .map((arg: string) => arg.replace('$(POD_NAME)', 'gateway-1'));
      await bootstrapCommand((part) => (text += part)).parseAsync(flags, { from: 'user' });
      t.match(text, /STRICT_DNS[\s\S]*isthmus-controlplane\.isthmus-system\.svc/);
      t.match(text, /port_value: 15021/);
    }
  });

  await t.test('the control plane may write conditions, and Leases', async (t) => {
    const manifests = await render('--set', 'idc=sh-a');
    const rulesOf = (kind: string, name: string) =>
      // biome-ignore lint/suspicious/noExplicitAny: a manifest of any kind.
      (manifests.find((one) => one.kind === kind && one.metadata.name === name) as any)?.rules;
    t.strictSame(rulesOf('ClusterRole', 'isthmus-system-isthmus-controlplane').at(-1), {
      apiGroups: ['isthmus.dev'],
      resources: ['idcs/status', 'drgroups/status', 'evacuations/status'],
      verbs: ['patch'],
    });
    t.match(rulesOf('Role', 'isthmus-controlplane'), [
      { resources: ['leases'], resourceNames: ['isthmus-status-sh-a'], verbs: ['get', 'update'] },
      { resources: ['leases'], verbs: ['create'] },
      { resources: ['leases'], verbs: ['list', 'patch', 'delete'] },
    ]);
  });

  await t.test('namespaces are read if some of them count, and not otherwise', async (t) => {
    const readsNamespaces = async (...flags: string[]) => {
      const manifests = await render('--set', 'idc=sh-a', ...flags);
      const rules = manifests.flatMap((one) => (one.kind === 'ClusterRole' ? one.rules : []));
      const plane = manifests.find(({ spec }) => spec?.template?.spec.containers[0].name === 'controlplane');
      return {
        rules: rules.filter(({ resources }: { resources: string[] }) => resources.includes('namespaces')),
        args: plane?.spec.template.spec.containers[0].args.filter((arg: string) =>
          arg.includes('namespaces'),
        ),
      };
    };
    t.strictSame(await readsNamespaces(), { rules: [], args: [] });
    t.strictSame(await readsNamespaces('--set', 'controlPlane.discoveryNamespaces=mesh in (a\\,b)'), {
      rules: [{ apiGroups: [''], resources: ['namespaces'], verbs: ['list', 'watch'] }],
      args: ['--discovery-namespaces=mesh in (a,b)'],
    });
  });

  await t.test('containers have no rights that they do not need', async (t) => {
    for (const { kind, spec } of await render('--set', 'idc=sh-a')) {
      if (kind !== 'Deployment') continue;
      const { securityContext, initContainers = [], containers } = spec.template.spec;
      t.match(securityContext, { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      for (const container of [...initContainers, ...containers]) {
        t.match(container.securityContext, {
          ...{
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
        });
        t.ok(container.resources.limits.memory && container.resources.requests.cpu, container.name);
      }
    }
  });

  await t.test('ServiceMonitors are of the Services and ports that are there', async (t) => {
    const manifests = await render(
      '--set',
      'idc=sh-a,serviceMonitor.enabled=true,serviceMonitor.labels.release=prom',
    );
    const of = (kind: string) => manifests.filter((one) => one.kind === kind);
    const [monitor] = of('ServiceMonitor');
    t.equal(monitor.metadata.labels.release, 'prom');
    const labels = Object.entries(monitor.spec.selector.matchLabels);
    const meant = of('Service').filter(({ metadata }) =>
      labels.every(([key, value]) => metadata.labels[key] === value),
    );
    t.equal(meant.length, 1);
    t.ok(meant[0].spec.ports.some(({ name }: { name: string }) => name === monitor.spec.endpoints[0].port));
  });
});

t.test('the chart and a real API server', { skip: withoutHelm() || withoutKube }, async (t) => {
  const folder = t.testdir();
  const server = await startApiServer(join(folder, 'kube'));
  t.teardown(() => server.stop());
  for (const name of ['isthmus-system', 'other'])
    await server.call('POST', '/api/v1/namespaces', { metadata: { name } });

  await t.test('takes all objects, for each set of values', async (t) => {
    for (const [name, flags] of Object.entries(sets)) {
      const objects = await render(...flags);
      t.ok(objects.length >= 5, name);
      for (const object of objects) {
        const { status, body } = await apply(server, object);
        t.ok(
          status === 200 || status === 201,
          `${name}: ${object.kind} ${object.metadata.name}: ${body.message}`,
        );
      }
    }
  });

  await t.test('is installed, upgraded without the loss of caBundle, and removed but for CRDs', async (t) => {
    const release = (...args: string[]) =>
      run(helm, [...args, '-n', 'isthmus-system', '--kubeconfig', server.kubeconfig], {
        maxBuffer: 64 * 2 ** 20,
      });
    await release('install', 'isthmus', chart, '--set', 'idc=sh-a');
    for (const text of Object.values(generateCrds())) {
      const [, name = ''] = /\n {2}name: (\S+)/.exec(text) ?? [];
      const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`;
      t.equal((await server.call('GET', path)).status, 200, name);
    }
    await t.test('the rights of the webhook are what it needs, and no more', (t) =>
      webhookRights(t, server, folder),
    );
    await t.test('those of the control plane, too', (t) => controlPlaneRights(t, server));
    const path = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/isthmus-default';
    const bundle = async () => (await server.call('GET', path)).body.webhooks[0].clientConfig.caBundle;
    const before = await bundle();
    t.ok(before);
    await release('upgrade', 'isthmus', chart, '--set', 'idc=sh-a,webhook.timeoutSeconds=3');
    t.equal(await bundle(), before);
    await release('uninstall', 'isthmus');
    t.equal((await server.call('GET', path)).status, 404);
    t.strictSame(
      (await server.call('GET', '/apis/apps/v1/namespaces/isthmus-system/deployments')).body.items,
      [],
    );
    const kept = await server.call(
      'GET',
      '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/idcs.isthmus.dev',
    );
    t.equal(kept.status, 200);
  });
});

/** Runs the webhook as its service account. */
async function webhookRights(t: Tap, server: ApiServer, folder: string): Promise<void> {
  const token = 'isthmus-webhook-token';
  const account = serviceAccountOf(server, join(folder, 'account'), 'isthmus-system', token);
  const access = inClusterAccess(systemClock, account.env, account.folder);
  const api = createKubeClient(access, { clock: systemClock });
  const configurations = ['mutating', 'validating'].map(
    (one) => `${one}webhookconfigurations/isthmus-default`,
  );
  const hook = await startWebhook(
    api,
    {
      listen: { address: '127.0.0.1', port: 0 },
      settings: { ...injectDefaults, idc: 'sh-a', xds: [], readinessGate: 'never', ipv6: false },
      certificate: {
        secret: 'isthmus-webhook-certificate',
        namespace: 'isthmus-system',
        names: ['isthmus-webhook.isthmus-system.svc'],
        configurations,
      },
    },
    { clock: systemClock, logger: silentLogger },
  );
  const root = '/apis/admissionregistration.k8s.io/v1';
  for (const path of configurations) {
    const { body } = await server.call('GET', `${root}/${path}`);
    t.ok(body.webhooks[0].clientConfig.caBundle, path);
  }
  await hook.close();
  api.close();
  const secrets = '/api/v1/namespaces/isthmus-system/secrets';
  await server.call('POST', secrets, { metadata: { name: 'foreign' } });
  for (const [method, path] of [
    ['GET', secrets],
    ['GET', `${secrets}/foreign`],
    ['PUT', `${secrets}/foreign`],
    ['DELETE', `${secrets}/isthmus-webhook-certificate`],
    ['GET', '/api/v1/namespaces/other/secrets/isthmus-webhook-certificate'],
    ['POST', '/api/v1/namespaces/other/secrets'],
    ['GET', `${root}/mutatingwebhookconfigurations`],
    ['GET', `${root}/mutatingwebhookconfigurations/other`],
    ['DELETE', `${root}/mutatingwebhookconfigurations/isthmus-default`],
    ['GET', '/api/v1/pods'],
  ] as const) {
    const body = method === 'PUT' || method === 'POST' ? { metadata: { name: 'foreign' } } : undefined;
    t.equal((await server.call(method, path, body, { token })).status, 403, `${method} ${path}`);
  }
}

/** What the control plane may read, and that it may write no more than finalizers of instances. */
async function controlPlaneRights(t: Tap, server: ApiServer): Promise<void> {
  const token = 'isthmus-controlplane-token';
  const kinds = [
    ...['idcs', 'drgroups', 'evacuations'].map((plural) => `isthmus.dev/v1alpha1/${plural}`),
    ...['serviceentries', 'workloadentries', 'destinationrules'].map(
      (plural) => `networking.istio.io/v1/${plural}`,
    ),
  ];
  for (const kind of kinds) {
    const list = () => server.call('GET', `/apis/${kind}`, undefined, { token });
    let answer = await list();
    // Its cache is made when it is asked for first.
    while (answer.status === 429) answer = await list();
    t.equal(answer.status, 200, kind);
    const watch = `/apis/${kind}?watch=1&timeoutSeconds=1&allowWatchBookmarks=true`;
    t.equal((await server.call('GET', watch, undefined, { token })).status, 200, `watch ${kind}`);
    t.equal(
      (await server.call('DELETE', `/apis/${kind}`, undefined, { token })).status,
      403,
      `delete ${kind}`,
    );
    t.equal(
      (await server.call('GET', `/apis/${kind}`, undefined, { token: 'isthmus-nobody-token' })).status,
      403,
      'control',
    );
  }
  // To take a finalizer off; of the kinds that it does not write, none may be changed.
  for (const [kind, status] of [
    ['workloadentries', 404],
    ['serviceentries', 403],
    ['destinationrules', 403],
  ] as const) {
    const path = `/apis/networking.istio.io/v1/namespaces/default/${kind}/none`;
    const patch = { metadata: { finalizers: null } };
    const contentType = 'application/merge-patch+json';
    t.equal(
      (await server.call('PATCH', path, patch, { token, contentType })).status,
      status,
      `patch ${kind}`,
    );
  }
  for (const path of ['/api/v1/secrets', '/api/v1/pods', '/api/v1/configmaps', '/apis/apps/v1/deployments'])
    t.equal((await server.call('GET', path, undefined, { token })).status, 403, path);
}

type Tap = import('tap').Test;
