import { readFileSync } from 'node:fs';
import t from 'tap';
import { parse, parseAllDocuments } from 'yaml';
import { isMap, type RawMap } from '../../src/base/raw-map.ts';
import { runInject } from '../../src/cli/inject/run-inject.ts';
import { type InjectedText, injectText } from '../../src/inject/inject-text.ts';
import { podAnnotations } from '../../src/inject/pod-wishes.ts';
import { type InjectSettings, injectDefaults } from '../../src/inject/settings.ts';

const settings: InjectSettings = {
  ...{ idc: 'sh-a', xds: [{ address: 'isthmus.isthmus-system.svc', port: 15010 }] },
  ...{ ...injectDefaults, readinessGate: 'group', ipv6: true },
};
const inject = (text: string, more: Partial<InjectSettings> = {}): InjectedText =>
  injectText('d.yaml', text, { ...settings, ...more }, 'default');

interface PodShape {
  readonly labels?: object;
  readonly annotations?: object;
  readonly spec?: object;
}

const pod = ({ labels = {}, annotations = {}, spec = {} }: PodShape = {}) => ({
  metadata: { labels: { app: 'shop', ...labels }, annotations },
  spec: { containers: [{ name: 'app', image: 'shop:1' }], ...spec },
});
const deployment = (shape?: PodShape) => ({
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'shop', namespace: 'shop' } },
  spec: { selector: { matchLabels: { app: 'shop' } }, template: pod(shape) },
});
const annotated = (annotations: Record<string, string>, shape: PodShape = {}) =>
  deployment({
    ...shape,
    annotations: Object.fromEntries(Object.entries(annotations).map(([k, v]) => [`isthmus.dev/${k}`, v])),
  });

// biome-ignore lint/suspicious/noExplicitAny: tests read deep into what was made.
const podOf = (object: unknown, more?: Partial<InjectSettings>): any => {
  const { text, faults } = inject(JSON.stringify(object), more);
  t.strictSame(faults, []);
  return parse(text).spec.template;
};
// biome-ignore lint/suspicious/noExplicitAny: the same.
const bootstrapOf = (made: any): any => {
  const proxy = made.spec.initContainers.find(({ name }: RawMap) => name === 'isthmus-proxy');
  return JSON.parse(proxy.args[1].replaceAll('$$(', '$('));
};

t.test('each kind that makes Pods gets a sidecar; other documents stay, byte for byte', async (t) => {
  const template = pod();
  const kinds: readonly [string, string, object][] = [
    ['v1', 'Pod', template],
    ['v1', 'PodTemplate', { template }],
    ['v1', 'ReplicationController', { spec: { template } }],
    ...['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet'].map((kind): [string, string, object] => [
      'apps/v1',
      kind,
      { spec: { template } },
    ]),
    ['batch/v1', 'Job', { spec: { template } }],
    ['batch/v1', 'CronJob', { spec: { jobTemplate: { spec: { template } } } }],
  ];
  for (const [apiVersion, kind, rest] of kinds) {
    const metadata = kind === 'Pod' ? { ...template.metadata, name: 'a' } : { name: 'a' };
    const { text, changed, skipped, faults } = inject(
      JSON.stringify({ apiVersion, kind, ...rest, metadata }),
    );
    t.strictSame([changed, skipped, faults], [1, [], []], kind);
    t.equal(text.match(/name: isthmus-proxy/g)?.length, 1, kind);
    t.match(text, /isthmus\.dev\/rev: default/, kind);
    if (kind === 'Pod') t.match(text, /name: a\n/);
  }
  const list = inject(
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [deployment(), deployment()] }),
  );
  t.equal(list.text.match(/name: isthmus-proxy/g)?.length, 2);
  const service = '# kept\nkind: Service   # and this\napiVersion: v1\nmetadata: {name: "s"}\n';
  const knative = 'apiVersion: serving.knative.dev/v1\nkind: Deployment\nspec: {template: {spec: {}}}\n';
  const { text } = inject(`${service}---\n${JSON.stringify(deployment())}\n---\n${knative}`);
  t.ok(text.startsWith(service) && text.endsWith(`---\n${knative}`));
  t.equal(parseAllDocuments(text).length, 3);
});

t.test('the sidecar runs before all, as Envoy with the bootstrap of a sidecar', async (t) => {
  const made = podOf(
    annotated(
      {
        'app-port': '8080',
        'depends-on': 'checkout.shop, *.pay',
        zone: 'zone-1',
        'proxy-memory-limit': '1Gi',
      },
      { spec: { initContainers: [{ name: 'migrate', image: 'm' }] } },
    ),
  );
  const [proxy, migrate] = made.spec.initContainers;
  t.equal(migrate.name, 'migrate');
  t.match(proxy, { name: 'isthmus-proxy', restartPolicy: 'Always', image: injectDefaults.image });
  t.match(proxy.securityContext, { runAsUser: 1337, capabilities: { drop: ['ALL'] } });
  t.strictSame(proxy.resources.limits, { memory: '1Gi' });
  t.strictSame(proxy.startupProbe.httpGet, { path: '/ready', port: 15021 });
  const bootstrap = bootstrapOf(made);
  t.match(bootstrap.node.metadata.isthmus, {
    ...{ role: 'sidecar', idc: 'sh-a', namespace: 'shop', zone: 'zone-1' },
    dependsOn: ['*.pay', 'checkout.shop'],
    outbound: { address: '127.0.0.1', port: 15001 },
  });
  const [xds] = bootstrap.static_resources.clusters;
  t.equal(xds.type, 'STRICT_DNS', 'a Service has a name');
  const heap = bootstrap.overload_manager.resource_monitors[0].typed_config.max_heap_size_bytes;
  t.equal(Number(heap), Math.floor(0.8 * 2 ** 30));
  t.strictSame(
    bootstrap.static_resources.listeners.map(({ name }: RawMap) => name),
    ['inbound', 'ready'],
  );
});

t.test('a Pod of a Group waits for its proxies, and one that others call goes on for a time', async (t) => {
  const called = podOf(annotated({ 'app-port': '8080' }, { labels: { 'isthmus.dev/group': 'checkout' } }));
  t.strictSame(called.spec.readinessGates, [{ conditionType: 'isthmus.dev/propagated' }]);
  t.strictSame(called.spec.containers[0].lifecycle, { preStop: { sleep: { seconds: 5 } } });
  t.equal(called.spec.terminationGracePeriodSeconds, 35);
  const caller = podOf(deployment());
  t.strictSame(caller.spec.containers[0], { name: 'app', image: 'shop:1' });
  t.notOk('readinessGates' in caller.spec || 'terminationGracePeriodSeconds' in caller.spec);
  const own = podOf(
    annotated(
      { 'app-port': '8080', 'drain-seconds': '60' },
      {
        spec: {
          terminationGracePeriodSeconds: 10,
          containers: [{ name: 'app', image: 'x', lifecycle: { preStop: { exec: { command: ['x'] } } } }],
        },
      },
    ),
  );
  t.strictSame(own.spec.containers[0].lifecycle.preStop, { exec: { command: ['x'] } }, 'its own hook stays');
  t.equal(own.spec.terminationGracePeriodSeconds, 70);
  const without = podOf(annotated({}, { labels: { 'isthmus.dev/group': 'c' } }), {
    ...{ readinessGate: 'never', drainSeconds: 0 },
  });
  t.notOk('readinessGates' in without.spec || 'lifecycle' in without.spec.containers[0]);
});

t.test('captured connections: an init container first, a listener, unknown hosts pass', async (t) => {
  const made = podOf(
    annotated({
      capture: 'true',
      'capture-exclude-ports': '22, 9090',
      'capture-exclude-cidrs': '10.0.0.0/8',
    }),
  );
  const [capture, proxy] = made.spec.initContainers;
  t.strictSame([capture.name, proxy.name], ['isthmus-capture', 'isthmus-proxy']);
  t.strictSame(capture.args.slice(-4), ['--exclude-ports', '22,9090', '--exclude-cidrs', '10.0.0.0/8']);
  t.strictSame(capture.securityContext.capabilities, { drop: ['ALL'], add: ['NET_ADMIN'] });
  const bootstrap = bootstrapOf(made);
  t.equal(bootstrap.node.metadata.isthmus.unknownHosts, 'pass');
  const listener = bootstrap.static_resources.listeners.find(({ name }: RawMap) => name === 'capture');
  t.equal(listener.additional_addresses[0].address.socket_address.address, '::');
  const v4 = bootstrapOf(podOf(annotated({ capture: 'true' }), { ipv6: false }));
  t.notOk(JSON.stringify(v4).includes('additional_addresses'));
});

t.test('what is injected is injected anew: the same, whatever was injected before', async (t) => {
  const all = { capture: 'true', 'app-port': '8080' };
  for (const object of [
    deployment(),
    annotated(all, { labels: { 'isthmus.dev/group': 'c' } }),
    annotated(all, { spec: { terminationGracePeriodSeconds: 7, readinessGates: [{ conditionType: 'x' }] } }),
  ]) {
    const first = inject(JSON.stringify(object));
    t.equal(inject(first.text).text, first.text);
    const other = inject(JSON.stringify(object), {
      drainSeconds: 60,
      revision: 'canary',
      readinessGate: 'never',
    });
    t.not(other.text, first.text);
    t.same(parse(inject(other.text).text), parse(first.text), 'and from other settings');
  }
});

t.test('a template is merged at last: by name, * for the other containers, null removes', async (t) => {
  const template = {
    metadata: { annotations: { team: 'mesh' } },
    spec: {
      containers: [{ name: '*', lifecycle: { preStop: { httpGet: { port: 9 }, sleep: null } } }],
      initContainers: [{ name: 'isthmus-proxy', startupProbe: null, resources: { limits: { cpu: '1' } } }],
      volumes: [{ name: 'v', emptyDir: {} }],
    },
  };
  const object = annotated({ 'app-port': '1' }, { spec: { volumes: [{ name: 'own', emptyDir: {} }] } });
  const made = podOf(object, { template });
  const [proxy] = made.spec.initContainers;
  t.strictSame(proxy.resources.limits, { memory: '512Mi', cpu: '1' });
  t.notOk('startupProbe' in proxy || 'lifecycle' in proxy);
  t.strictSame(made.spec.containers[0].lifecycle.preStop, { httpGet: { port: 9 } });
  t.strictSame(
    made.spec.volumes.map(({ name }: RawMap) => name),
    ['own', 'v'],
  );
  t.equal(made.metadata.annotations.team, 'mesh');
  const once = inject(JSON.stringify(object), { template }).text;
  t.equal(inject(once, { template }).text, once);
});

t.test(
  'Pods that opted out, have the network of their node, or run elsewhere are left alone, and told',
  async (t) => {
    const shapes: readonly [RegExp, PodShape][] = [
      [
        /^Deployment shop\/shop is left alone: its label isthmus\.dev\/inject is false$/,
        { labels: { 'isthmus.dev/inject': 'false' } },
      ],
      [/hostNetwork/, { spec: { hostNetwork: true } }],
      [/Windows/, { spec: { os: { name: 'windows' } } }],
      [/Windows/, { spec: { nodeSelector: { 'kubernetes.io/os': 'windows' } } }],
    ];
    for (const [words, shape] of shapes) {
      const before = `${JSON.stringify(deployment(shape))}\n`;
      const { text, skipped, changed } = inject(before);
      t.equal(text, before);
      t.equal(changed, 0);
      t.match(skipped, [words]);
    }
  },
);

t.test('faults say file, line, field and what to do', async (t) => {
  const text = `apiVersion: v1
kind: Service
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  template:
    metadata:
      annotations:
        isthmus.dev/app-port: "99999"
        isthmus.dev/capture: "yes"
        isthmus.dev/depends_on: a.b
        isthmus.dev/inject: "true"
    spec:
      containers:
      - name: app
        ports: [{containerPort: 15001}]
---
a: [
`;
  const { faults } = inject(text);
  const at = (line: number, name: string) =>
    new RegExp(`^d\\.yaml:${line}:\\d+: spec\\.template\\..*${name}.*: .+`);
  t.match(faults, [
    at(13, 'isthmus\\.dev/depends_on'),
    at(14, 'isthmus\\.dev/inject'),
    at(12, 'isthmus\\.dev/capture'),
    at(11, 'isthmus\\.dev/app-port'),
    at(18, 'containerPort'),
    /^d\.yaml:(?:20|21):\d+: not YAML: /,
  ]);
  t.match(faults[0], /Did you mean 'depends-on'\?/);
  t.match(faults[1], /It is a label/);
  const one = (object: unknown) => inject(JSON.stringify(object)).faults.join('\n');
  t.match(one(annotated({ 'app-port': '15021' })), /15021 is the sidecar's, for what kubelets ask/);
  t.match(one(annotated({ 'outbound-port': '0' })), /the sidecar would do nothing/);
  t.match(
    one(annotated({ 'outbound-port': '0', 'app-port': '1', capture: 'true' })),
    /needs an outbound port/,
  );
  t.match(one(annotated({ 'depends-on': 'a b' })), /'a b' is not a host/);
  t.match(one(annotated({ 'proxy-memory-limit': '1Mi' })), /at least 80Mi/);
  t.match(one(annotated({ 'proxy-cpu': 'lots' })), /not a quantity/);
  t.match(one(annotated({ 'capture-exclude-cidrs': '; drop' })), /not an address or prefix/);
  t.match(one(annotated({ zone: 'a/b' })), /is not a zone/);
  t.match(
    one(annotated({ capture: 'true' }, { spec: { securityContext: { runAsUser: 1337 } } })),
    /user of the sidecar/,
  );
  t.match(
    one(deployment({ spec: { containers: [{ name: 'isthmus-proxy' }] } })),
    /name of a container of Isthmus/,
  );
  t.match(one(deployment({ spec: { containers: [] } })), /at least one container/);
  t.match(
    one({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: {}, spec: {} }),
    /spec\.template: is required/,
  );
});

t.test('the command writes all or nothing', async (t) => {
  const folder = t.testdir({
    'good.yaml': JSON.stringify(deployment()),
    'bad.yaml': JSON.stringify(annotated({ capture: 'yes' })),
    'template.yaml': 'spec: {priorityClassName: high}',
    'stray.yaml': 'kind: Pod',
  });
  const run = async (file: string, template?: string) => {
    const out: string[] = [];
    const err: string[] = [];
    const code = await runInject(
      {
        ...{ ...settings, filename: `${folder}/${file}`, namespace: 'default' },
        ...(template === undefined ? {} : { template: `${folder}/${template}` }),
      } as Parameters<typeof runInject>[0],
      { out: (text) => void out.push(text), err: (text) => void err.push(text) },
    );
    return { code, out: out.join(''), err: err.join('') };
  };
  t.match(await run('good.yaml'), { code: 0, out: /isthmus-proxy/, err: '' });
  t.match(await run('bad.yaml'), { code: 1, out: '', err: /bad\.yaml:1:\d+: .*must be true or false/ });
  t.match(await run('good.yaml', 'template.yaml'), { code: 0, out: /priorityClassName: high/ });
  await t.rejects(run('good.yaml', 'stray.yaml'), /must be a mapping with metadata, spec/);
  await t.rejects(run('none.yaml'), /none\.yaml cannot be read/);
});

t.test('the docs have each annotation, and defaults', async (t) => {
  const text = readFileSync(new URL('../../docs/kubernetes-deploy.md', import.meta.url), 'utf8');
  for (const name of Object.keys(podAnnotations)) t.match(text, `\`${name}\``, name);
  t.ok(isMap(podAnnotations));
});
