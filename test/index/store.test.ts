import t from 'tap';
import { checkAgreement } from '../../src/agreement/agreement.ts';
import { findingOfLint } from '../../src/agreement/lint.ts';
import { createIndex as createPlainIndex } from '../../src/index/store.ts';
import type { GroupView, MeshIndex } from '../../src/index/view.ts';
import type { ObjectFinding } from '../../src/model/finding.ts';
import { type MeshObject, refKey, refOf } from '../../src/model/object.ts';
import type { ServiceEntry } from '../../src/model/service.ts';
import { deletes, destinationRule, drGroup, idc, serviceEntry, upserts, workloadEntry } from './fixture.ts';

const given = new WeakMap<MeshIndex, Map<string, MeshObject>>();

/** An index; `problemsOf` knows what it was given. */
function createIndex(): MeshIndex {
  const index = createPlainIndex({ idc: 'sh-a' });
  const world = new Map<string, MeshObject>();
  const remembering: MeshIndex = {
    ...index,
    apply(batch) {
      for (const change of batch) {
        if (change.type === 'upsert') world.set(refKey(refOf(change.object)), change.object);
        if (change.type === 'delete') world.delete(refKey(change.ref));
      }
      return index.apply(batch);
    },
  };
  given.set(remembering, world);
  return remembering;
}

/** What of objects that an index has does not count, or is not there, by `src/agreement/`. */
function problemsOf(index: MeshIndex): ObjectFinding[] {
  const of = [/Conflict$/, /^(UnknownHost|UnknownIdc|UnknownPort|UnknownLocality|NoLocality|NotSelected)$/];
  return checkAgreement({ objects: given.get(index)?.values() ?? [], wallMs: 0 })
    .map(findingOfLint)
    .filter(({ code }) => of.some((pattern) => pattern.test(code)))
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

const keyOf = ({ ref, path, message }: ObjectFinding) => `${refKey(ref)} ${path} ${message}`;

function indexOf(...objects: readonly MeshObject[]): MeshIndex {
  const index = createIndex();
  index.apply(upserts(...objects));
  return index;
}

function group(index: MeshIndex, host: string): GroupView {
  const found = index.view().groups.get(host);
  if (found === undefined) throw new Error(`no Group ${host}`);
  return found;
}

const names = (view: GroupView) => view.instances.map((instance) => instance.ref?.name);
const checkout = serviceEntry('shop/checkout', ['checkout.shop'], { workloadSelector: { app: 'checkout' } });

t.test('a workload joins the Groups whose selectors it fulfils, sorted by name', async (t) => {
  const index = indexOf(checkout, serviceEntry('shop/all', ['all.shop'], { workloadSelector: {} }));
  index.apply(upserts(workloadEntry('shop/w10', { app: 'checkout', env: 'prod' })));
  index.apply(upserts(workloadEntry('shop/w1', { app: 'checkout' }), workloadEntry('shop/x', { app: 'x' })));
  t.same(names(group(index, 'checkout.shop')), ['w1', 'w10']);
  t.same(
    names(group(index, 'all.shop')),
    ['w1', 'w10', 'x'],
    'an empty selector selects all of its namespace',
  );
});

t.test('a workload of another namespace is not selected', async (t) => {
  const index = indexOf(checkout, workloadEntry('bank/w1', { app: 'checkout' }));
  t.same(names(group(index, 'checkout.shop')), []);
});

t.test('metadata labels join the labels of the spec and win', async (t) => {
  const plain = workloadEntry('shop/w1', { app: 'other', env: 'prod' });
  const index = indexOf(checkout, { ...plain, meta: { ...plain.meta, labels: { app: 'checkout' } } });
  t.same(group(index, 'checkout.shop').instances[0]?.labels, { app: 'checkout', env: 'prod' });
});

t.test('the IDC is the locality up to the first slash, else the control plane own', async (t) => {
  const at = (locality?: string) => ({
    address: '10.0.0.1',
    ports: {},
    labels: {},
    ...(locality && { locality }),
  });
  const endpoints = [at('sh-b/z1/r2'), at('sh-c'), at(), at('/z1')];
  const index = indexOf(serviceEntry('shop/s', ['s.shop'], { endpoints }));
  t.same(
    group(index, 's.shop').instances.map((instance) => instance.idc),
    ['sh-b', 'sh-c', 'sh-a', 'sh-a'],
  );
});

t.test('inline endpoints stay in their order, and without a selector there are no others', async (t) => {
  const endpoint = (address: string) => ({ address, ports: {}, labels: {} });
  const index = indexOf(
    serviceEntry('shop/s', ['s.shop'], { endpoints: [endpoint('10.0.0.9'), endpoint('10.0.0.1')] }),
    serviceEntry('shop/none', ['none.shop']),
    workloadEntry('shop/w1', {}),
  );
  t.same(
    group(index, 's.shop').instances.map((instance) => instance.address),
    ['10.0.0.9', '10.0.0.1'],
  );
  t.same(group(index, 'none.shop').instances, []);
});

t.test('a moved workload leaves one Group and joins the other, and both are named', async (t) => {
  const catalog = serviceEntry('shop/catalog', ['catalog.shop'], { workloadSelector: { app: 'catalog' } });
  const index = indexOf(checkout, catalog, workloadEntry('shop/w1', { app: 'checkout' }));
  const delta = index.apply(upserts(workloadEntry('shop/w1', { app: 'catalog' })));
  t.same([...delta.groups].sort(), ['catalog.shop', 'checkout.shop']);
  t.same(names(group(index, 'checkout.shop')), []);
  t.same(names(group(index, 'catalog.shop')), ['w1']);
});

t.test('an update without a change has no effect', async (t) => {
  const index = indexOf(checkout, workloadEntry('shop/w1', { app: 'checkout' }), idc('sh-a'));
  const before = index.view();
  const moved = { ...checkout, meta: { ...checkout.meta, origin: 'other.yaml:7' } };
  const noted = workloadEntry('shop/w1', { app: 'checkout' });
  const delta = index.apply([
    ...upserts(moved, { ...noted, meta: { ...noted.meta, annotations: { note: 'x' } } }, idc('sh-a')),
    { type: 'synced', source: 'files', at: 0 },
  ]);
  t.same([...delta.groups, ...delta.idcs], []);
  t.equal(index.view(), before);
});

t.test('labels and annotations of a ServiceEntry are content', async (t) => {
  const index = indexOf(checkout);
  const labelled = { ...checkout, meta: { ...checkout.meta, labels: { tier: '1' } } };
  t.same([...index.apply(upserts(labelled)).groups], ['checkout.shop']);
  const annotated = { ...labelled, meta: { ...labelled.meta, annotations: { note: 'x' } } };
  t.same([...index.apply(upserts(annotated)).groups], ['checkout.shop']);
});

t.test('deleted and restored within a batch is no change', async (t) => {
  const workload = workloadEntry('shop/w1', { app: 'checkout' });
  const index = indexOf(checkout, workload);
  const before = group(index, 'checkout.shop');
  const batch = [...deletes(workload, checkout), ...upserts(checkout, workload)];
  t.equal(index.apply(batch).groups.size, 0);
  t.equal(group(index, 'checkout.shop'), before);
});

t.test(
  'the first ServiceEntry by namespace and name has the host; the next takes over when it goes',
  async (t) => {
    const first = serviceEntry('a/z', ['s.shop', 'only.shop']);
    const second = serviceEntry('b/a', ['other.shop', 's.shop']);
    const index = indexOf(second, first);
    t.equal(group(index, 's.shop').entry, first);
    t.match(problemsOf(index), [
      {
        code: 'HostConflict',
        ref: { namespace: 'b', name: 'a' },
        path: 'spec.hosts[1]',
        where: 'b/a.yaml:1',
      },
    ]);
    const delta = index.apply(deletes(first));
    t.same([...delta.groups].sort(), ['only.shop', 's.shop']);
    t.equal(group(index, 's.shop').entry, second);
    t.notOk(index.view().groups.has('only.shop'));
    t.same(problemsOf(index), []);
  },
);

t.test('ServiceEntries of one host and namespace add up; one that goes leaves the other whole', async (t) => {
  const first = serviceEntry('shop/a', ['s.shop'], { workloadSelector: { app: 's' } });
  const second = serviceEntry('shop/b', ['s.shop', 'own.shop'], {
    ports: [{ number: 90, name: 'admin', protocol: 'HTTP' }],
    workloadSelector: { app: 's' },
  });
  const worker = workloadEntry('shop/w', { app: 's' }, { ports: { http: 1, admin: 2 } });
  const index = indexOf(second, worker, first);
  const both = group(index, 's.shop');
  t.same([both.entry, ...(both.siblings ?? []).map(({ entry }) => entry)], [first, second]);
  t.same(names(both), ['w']);
  t.same(problemsOf(index), [], 'also the ports of an instance are those of both');
  t.same([...index.apply(deletes(worker)).groups].sort(), ['own.shop', 's.shop']);
  t.same([...index.apply(deletes(first)).groups], ['s.shop']);
  t.same(group(index, 's.shop').entry, second);
  t.equal(group(index, 's.shop').siblings, undefined);
  t.same([...index.apply(upserts(first)).groups], ['s.shop']);
  t.same([...index.apply(deletes(second)).groups].sort(), ['own.shop', 's.shop']);
  t.same(group(index, 's.shop').entry, first);
});

t.test(
  'what two ServiceEntries of a host contradict each other in is told, at the one that does not count',
  async (t) => {
    const entry = (name: string, spec: Partial<ServiceEntry['spec']>, annotations = {}) => {
      const plain = serviceEntry(`shop/${name}`, ['s.shop'], spec);
      return { ...plain, meta: { ...plain.meta, annotations } };
    };
    const tcp = { number: 80, name: 'tcp', protocol: 'TCP' } as const;
    const told = (...objects: ServiceEntry[]) =>
      problemsOf(indexOf(...objects)).map(
        ({ code, ref, path, message }) => `${code} ${ref.name} ${path} ${message}`,
      );
    t.match(told(entry('a', {}), entry('b', { ports: [tcp] })), [
      /^HostConflict b spec\.ports\[0\]\.protocol port 80 of s\.shop has protocol TCP here and HTTP in ServiceEntry shop\/a \(shop\/a\.yaml:1\), which comes first/,
    ]);
    t.match(told(entry('a', {}), entry('b', { resolution: 'DNS' })), [
      / b spec\.resolution .* DNS here and STATIC in/,
    ]);
    const looked = { resolution: 'DNS' } as const;
    t.match(told(entry('a', looked), entry('b', { ...looked, location: 'MESH_EXTERNAL' })), [
      / b spec\.location /,
    ]);
    const timeout = { 'isthmus.dev/timeout': '1s' };
    t.match(told(entry('a', {}), entry('b', {}, timeout)), [
      / b metadata\.annotations at port 80 .* applies/,
    ]);
    t.same(told(entry('a', {}, timeout), entry('b', {}, timeout)), []);
    t.same(told(entry('a', {}, timeout), entry('b', {})), [], 'who says nothing is content');
    const hidden = { exportTo: ['web'], ports: [{ number: 81, name: 'http', protocol: 'HTTP' } as const] };
    t.match(told(entry('a', {}), serviceEntry('web/b', ['s.shop'], hidden)), [
      /^HostConflict b spec\.ports callers of web see s\.shop as declared here, without port 80 of ServiceEntry shop\/a/,
    ]);
    t.same(told(entry('a', {}), serviceEntry('web/b', ['s.shop'], { exportTo: ['web'] })), []);
  },
);

t.test('a DestinationRule governs by namespace first, then by the more specific host', async (t) => {
  const index = indexOf(checkout);
  const rule = () => group(index, 'checkout.shop').rule?.meta;
  const steps: [string, string][] = [
    ['zoo/any', '*'],
    ['zoo/wild', '*.shop'],
    ['zoo/exact', 'checkout.shop'],
    ['bank/exact', 'checkout.shop'],
    ['shop/wild', '*.shop'],
    ['shop/z', 'checkout.shop'],
    ['shop/b', 'checkout.shop'],
  ];
  for (const [id, host] of steps) {
    t.same(
      [...index.apply(upserts(destinationRule(id, host))).groups],
      ['checkout.shop'],
      `${id} takes over`,
    );
    t.equal(`${rule()?.namespace}/${rule()?.name}`, id);
  }
  t.match(problemsOf(index), [{ code: 'RuleConflict', ref: { namespace: 'shop', name: 'z' } }]);
  for (const [id, host] of steps.toReversed()) index.apply(deletes(destinationRule(id, host)));
  t.equal(rule(), undefined);
});

t.test('a rule that governs nothing here changes nothing', async (t) => {
  const index = indexOf(checkout);
  t.equal(index.apply(upserts(destinationRule('shop/r', '*.bank'))).groups.size, 0);
  index.apply(upserts(destinationRule('shop/a', 'checkout.shop')));
  t.equal(index.apply(upserts(destinationRule('bank/a', 'checkout.shop'))).groups.size, 0, 'it does not win');
});

t.test('a DrGroup claims by host before another does by label', async (t) => {
  const entry = serviceEntry('shop/s', ['s.shop', 't.shop'], {}, { tier: 'gold' });
  const index = indexOf(entry, idc('sh-a'), idc('sh-b'), drGroup('a-gold', [], { tier: 'gold' }));
  t.same([...index.apply(upserts(drGroup('z-named', ['s.shop']))).groups], ['s.shop']);
  t.equal(group(index, 's.shop').drGroup?.meta.name, 'z-named');
  t.equal(group(index, 't.shop').drGroup?.meta.name, 'a-gold');
  t.same(problemsOf(index), [], 'an exception to a selector is no conflict');
  index.apply(upserts(serviceEntry('shop/s', ['s.shop', 't.shop'])));
  t.equal(group(index, 't.shop').drGroup, undefined, 'without the label it is not selected');
});

t.test(
  'of two DrGroups that claim one Group the first by name wins, and the other is reported',
  async (t) => {
    const index = indexOf(
      serviceEntry('shop/s', ['s.shop'], {}, { tier: 'gold' }),
      serviceEntry('shop/t', ['t.shop'], {}, { tier: 'gold' }),
      ...[idc('sh-a'), idc('sh-b')],
      ...[drGroup('m2', ['s.shop']), drGroup('m1', ['s.shop'])],
      ...[drGroup('l2', [], { tier: 'gold' }), drGroup('l1', [], {})],
    );
    t.equal(group(index, 's.shop').drGroup?.meta.name, 'm1');
    t.equal(group(index, 't.shop').drGroup?.meta.name, 'l1');
    t.match(problemsOf(index), [
      { code: 'DrGroupConflict', ref: { name: 'l2' }, path: 'spec.selector.matchLabels', message: /shop\/s/ },
      { code: 'DrGroupConflict', ref: { name: 'l2' }, path: 'spec.selector.matchLabels', message: /shop\/t/ },
      { code: 'DrGroupConflict', ref: { name: 'm2' }, path: 'spec.hosts[0]', message: /m1.*s\.shop/ },
    ]);
    t.same([...index.apply(deletes(drGroup('m1', []))).groups], ['s.shop']);
    t.equal(group(index, 's.shop').drGroup?.meta.name, 'm2');
  },
);

t.test('a DrGroup that names a host or an IDC that does not exist is reported until it does', async (t) => {
  const index = indexOf(drGroup('dr', ['s.shop']), idc('sh-a'));
  t.match(problemsOf(index), [
    { code: 'UnknownHost', ref: { name: 'dr' }, path: 'spec.hosts[0]' },
    { code: 'UnknownIdc', ref: { name: 'dr' }, path: 'spec.idcs[1].name', message: /sh-b/ },
  ]);
  index.apply(upserts(serviceEntry('shop/s', ['s.shop']), idc('sh-b')));
  t.same(problemsOf(index), []);
  index.apply(deletes(serviceEntry('shop/s', [])));
  t.match(problemsOf(index), [{ code: 'UnknownHost' }]);
});

t.test('a change of an Idc touches no Group', async (t) => {
  const index = indexOf(checkout, drGroup('dr', ['checkout.shop']), idc('sh-a'), idc('sh-b'));
  const before = index.view();
  const delta = index.apply(upserts(idc('sh-a', '10.9.9.9')));
  t.same([...delta.idcs], ['sh-a']);
  t.equal(delta.groups.size, 0);
  t.equal(index.view().groups, before.groups);
  t.equal(before.idcs.get('sh-a')?.spec.ingress[0]?.address, '10.9.0.1', 'the view before stays as it was');
  t.same([...index.apply(deletes(idc('sh-b'))).idcs], ['sh-b']);
  t.same([...index.view().idcs.keys()], ['sh-a']);
});

t.test('what is wrong between an instance and its ServiceEntry is told, of each', async (t) => {
  const index = createIndex();
  const entry = serviceEntry('shop/s', ['a.example'], { workloadSelector: { app: 'a' } });
  const here = { address: '10.0.0.1', ports: {}, locality: 'sh-a' };
  index.apply(
    upserts(
      idc('sh-a'),
      idc('sh-b'),
      entry,
      workloadEntry('shop/w-1', { app: 'a' }, here),
      workloadEntry('shop/w-2', { app: 'a' }, { ...here, locality: '', ports: { htp: 1 } }),
      workloadEntry('shop/w-3', { app: 'a' }, { ...here, locality: 'sh-x/z', ports: { htp: 1 } }),
      workloadEntry('shop/w-4', { app: 'b' }, here),
    ),
  );
  t.match(problemsOf(index), [
    { code: 'NoLocality', ref: { kind: 'WorkloadEntry', name: 'w-2' }, message: /^is missing/ },
    { code: 'UnknownPort', ref: { name: 'w-2' }, message: /^no port .* Did you mean 'http'\?$/ },
    { code: 'UnknownLocality', ref: { name: 'w-3' }, message: /^no Idc is named 'sh-x'/ },
    { code: 'UnknownPort', ref: { name: 'w-3' } },
    { code: 'NotSelected', ref: { name: 'w-4' }, where: 'shop/w-4.yaml:1', message: /^no ServiceEntry/ },
  ]);
  const of = (name: string) => index.disagreementsOf({ kind: 'WorkloadEntry', namespace: 'shop', name });
  t.same(of('w-1'), []);
  t.match(of('w-2'), [{ code: 'UnknownPort', path: ['ports', 'htp'] }, { code: 'NoLocality' }]);
  t.match(of('w-4'), [{ code: 'NotSelected', message: /Did you mean 'app: a'\?$/ }]);
  t.same(of('w-5'), [], 'there is none');
});

t.test('a DrGroup that names a pattern claims the hosts that it covers, unless one names them', async (t) => {
  const index = createIndex();
  const wide = drGroup('wide', ['*.shop']);
  const narrow = drGroup('narrow', ['b.shop']);
  const claim = (host: string) => index.view().groups.get(host)?.drGroup?.meta.name;
  index.apply(upserts(idc('sh-a'), idc('sh-b'), wide, narrow));
  t.match(problemsOf(index), [
    { code: 'UnknownHost', ref: { name: 'narrow' } },
    { code: 'UnknownHost', ref: { name: 'wide' }, message: /^no ServiceEntry declares \*\.shop/ },
  ]);
  index.apply(upserts(serviceEntry('shop/s', ['a.shop', 'b.shop', 'a.other'])));
  t.same(['a.shop', 'b.shop', 'a.other'].map(claim), ['wide', 'narrow', undefined]);
  t.same(problemsOf(index), []);
  const delta = index.apply(deletes(wide));
  t.same([...delta.groups], ['a.shop']);
  t.equal(claim('a.shop'), undefined);
  t.same([...index.apply(upserts(wide)).groups], ['a.shop']);
});

t.test('a DestinationRule for a short name is for the service of its namespace, as in Istio', async (t) => {
  const index = createIndex();
  const short = destinationRule('shop/r', 'cart');
  index.apply(
    upserts(serviceEntry('shop/s', ['cart.shop.svc.cluster.local', 'cart.other.svc.cluster.local'])),
  );
  const delta = index.apply(upserts(short));
  t.same([...delta.groups], ['cart.shop.svc.cluster.local']);
  t.equal(index.view().groups.get('cart.shop.svc.cluster.local')?.rule?.meta.name, 'r');
  index.apply(
    upserts(destinationRule('shop/q', 'cart'), destinationRule('shop/p', 'cart.shop.svc.cluster.local')),
  );
  t.same(
    problemsOf(index).map(({ ref }) => ref.name),
    ['q', 'r'],
    'two rules for one host, each told once',
  );
  t.same([...index.apply(deletes(short)).groups], [], 'p was first by name');
});
