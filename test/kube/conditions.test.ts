import t, { type Test } from 'tap';
import type { Condition } from '../../src/registry/kubernetes/accepted-condition.ts';
import type { ObjectStatus } from '../../src/registry/source.ts';
import { drGroup, idc, type RawObject, workload } from '../registry/objects.ts';
import { KubeApi, withoutKube } from '../support/kube/kube-api.ts';
import { defineShippedKinds, pathOf, putObject } from '../support/kube/kube-kinds.ts';
import { proxyKubeconfig, startKubeProxy } from '../support/kube/kube-proxy.ts';
import { watchWorld } from '../support/kube/kube-world.ts';
import { until } from '../support/mesh.ts';

type Statuses = ReadonlyMap<string, ObjectStatus>;
interface Seen {
  readonly metadata: { readonly generation: number; readonly resourceVersion: string };
  readonly status?: { readonly conditions?: readonly Condition[] };
}

const isStatus = (path: string) => path.includes('/status?');

t.test('conditions', { skip: withoutKube }, async (t) => {
  const api = await KubeApi.start(t);
  await defineShippedKinds(api);
  await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
  for (const name of ['sh-a', 'sh-b']) await putObject(api, idc(name));
  const get = async (object: RawObject) => (await api.must('GET', pathOf(object))) as Seen;
  const accepted = async (object: RawObject) =>
    (await get(object)).status?.conditions?.find(({ type }) => type === 'Accepted');
  const versionOf = async (object: RawObject) => (await get(object)).metadata.resourceVersion;

  /** A source that is told `statuses`. */
  async function open(t: Test, statuses: Statuses = new Map(), more: object = {}, file = api.kubeconfig()) {
    const world = watchWorld(t, file, {}, { identity: 'one', ...more });
    await world.started;
    const { status } = world.source.facets;
    if (status === 'none') throw new Error('it writes no conditions');
    status.setStatuses(statuses);
    return { ...world, tell: (all: Statuses) => status.setStatuses(all) };
  }

  let marks = 0;
  /** Resolves once all that was due before is written: a new object has its condition. */
  async function settled(): Promise<void> {
    marks += 1;
    const mark = drGroup(`zz-mark-${marks}`, [`mark-${marks}.example`], 'sh-a', 'sh-b');
    await putObject(api, mark);
    await until(`mark ${marks}`, async () => (await accepted(mark)) !== undefined);
  }

  await t.test('a faulty object: its code and every fault; mended: True', async (t) => {
    const { stop } = await open(t);
    const faulty = drGroup('dr', ['a.example', 'A.example.'], 'sh-x', 'sh-a');
    await putObject(api, faulty);
    await until('a condition', async () => (await accepted(faulty)) !== undefined);
    const first = await accepted(faulty);
    t.match(first, { status: 'False', reason: 'InvalidField', observedGeneration: 1 });
    t.match(first?.message, /^spec\.hosts\[1\]: 'A\.example\.' is listed twice/);
    t.match(first?.message, /\nspec\.idcs\[0\]\.name: .*sh-x/);

    const half = drGroup('dr', ['a.example'], 'sh-x', 'sh-a');
    await putObject(api, half);
    await until('the next', async () => (await accepted(half))?.observedGeneration === 2);
    const second = await accepted(half);
    t.match(second, { status: 'False', reason: 'UnknownIdc' });
    t.notMatch(second?.message, /listed twice/);
    t.equal(second?.lastTransitionTime, first?.lastTransitionTime, 'it was False, and is');

    await putObject(api, drGroup('dr', ['a.example'], 'sh-b', 'sh-a'));
    await until('True', async () => (await accepted(half))?.status === 'True');
    const third = await accepted(half);
    t.match(third, { reason: 'Accepted', message: 'It is in force.', observedGeneration: 3 });
    t.ok(
      third !== undefined &&
        Date.parse(third.lastTransitionTime) >= Date.parse(first?.lastTransitionTime ?? ''),
    );
    await until('an Idc', async () => (await accepted(idc('sh-a')))?.status === 'True');
    await putObject(api, workload('w-1'));
    await settled();
    t.equal((await get(workload('w-1'))).status, undefined, "Istio's kinds are left alone");
    stop();
  });

  await t.test('what an unknown Idc kept out: True once the Idc is there', async (t) => {
    const { stop } = await open(t);
    const early = drGroup('early', ['early.example'], 'sh-a', 'sh-c');
    await putObject(api, early);
    await until('a condition', async () => (await accepted(early))?.reason === 'UnknownIdc');
    await putObject(api, idc('sh-c'));
    await until('True', async () => (await accepted(early))?.status === 'True');
    t.equal((await accepted(early))?.observedGeneration, 1);
    stop();
  });

  const told = (severity: 'error' | 'warning', message = 'is too much'): Statuses => {
    const ref = { kind: 'DrGroup', namespace: '', name: 'told' } as const;
    const finding = { code: 'RuleConflict', severity, ref, where: '', path: 'spec', message } as const;
    return new Map([['DrGroup//told', { ref, inForce: true, findings: [finding] }]]);
  };

  await t.test('nothing is written twice, also over a restart', async (t) => {
    const object = drGroup('told', ['told.example'], 'sh-a', 'sh-b');
    await putObject(api, object);
    const first = await open(t, told('error'));
    await until('a condition', async () => (await accepted(object))?.status === 'False');
    t.match(await accepted(object), { reason: 'RuleConflict', message: 'spec: is too much' });
    await settled();
    const all = [object, idc('sh-a'), idc('sh-b'), drGroup('dr', [])];
    const before = await Promise.all(all.map(versionOf));
    const [reads, upserts] = [first.seen.reports.length, first.seen.count('+DrGroup//told')];
    first.tell(told('error'));
    await settled();
    t.strictSame(await Promise.all(all.map(versionOf)), before);
    t.equal(first.seen.count('+DrGroup//told'), upserts, 'a condition is no change of the object');
    t.ok(first.seen.reports.length <= reads + 1, 'and nothing to report: the mark is');
    first.stop();

    const world = watchWorld(t, api.kubeconfig(), {}, { identity: 'one' });
    await world.started;
    const { status } = world.source.facets;
    if (status === 'none') throw new Error('it writes no conditions');
    const early = drGroup('zz-early', ['zz-early.example'], 'sh-a', 'sh-b');
    await putObject(api, early);
    await world.seen.until('it is read', () => world.seen.count('+DrGroup//zz-early') === 1);
    const renewals = new Set<unknown>();
    await until('renewals', async () => {
      const lease = '/apis/coordination.k8s.io/v1/namespaces/default/leases/isthmus-status-sh-a';
      const { spec } = (await api.must('GET', lease)) as { spec: { renewTime: string } };
      return renewals.add(spec.renewTime).size > 3;
    });
    t.equal(await accepted(early), undefined, 'nothing before it is known what was found');
    status.setStatuses(told('error'));
    await settled();
    t.match(await accepted(early), { status: 'True' });
    t.strictSame(await Promise.all(all.map(versionOf)), before, 'after a restart');
    status.setStatuses(new Map());
    await until('True', async () => (await accepted(object))?.status === 'True');
    t.not(await versionOf(object), before[0], 'negative control');
    status.setStatuses(told('warning'));
    await until('the warning', async () => (await accepted(object))?.message !== 'It is in force.');
    t.match(await accepted(object), { status: 'True', reason: 'Accepted', message: 'spec: is too much' });
    world.stop();
  });

  await t.test('what was told of an older generation does not count for a newer one', async (t) => {
    const object = drGroup('told', ['told.example'], 'sh-a', 'sh-b');
    const { tell, stop } = await open(t, told('error'));
    await until('False', async () => (await accepted(object))?.status === 'False');
    const before = await accepted(object);
    await putObject(api, drGroup('told', ['told.example'], 'sh-b', 'sh-a'));
    await settled();
    t.strictSame(await accepted(object), before, 'it says which generation it is about');
    tell(told('error'));
    const generation = (before?.observedGeneration ?? 0) + 1;
    await until('the next', async () => (await accepted(object))?.observedGeneration === generation);
    stop();
  });

  const overwrite = async (object: RawObject) => {
    const conditions = [{ ...(await accepted(object)), reason: 'Mine', observedGeneration: 1 }];
    await api.must('PATCH', `${pathOf(object)}/status`, { status: { conditions } });
  };

  await t.test('no quarrel with another who overwrites it', async (t) => {
    const object = drGroup('dr', []);
    const { stop } = await open(t);
    await putObject(api, drGroup('dr', ['a.example'], 'sh-a', 'sh-b'));
    await until('True', async () => (await accepted(object))?.observedGeneration === 4);
    await overwrite(object);
    await settled();
    await settled();
    t.equal((await accepted(object))?.reason, 'Mine');
    stop();
    const other = await open(t, new Map(), { status: { contestedMs: 50 } });
    await until('ours', async () => (await accepted(object))?.reason === 'Accepted');
    await overwrite(object);
    await until('ours again', async () => (await accepted(object))?.reason === 'Accepted');
    t.pass('negative control: it is written again after a time');
    other.stop();
  });

  await t.test('two control planes: one writes, the other when the first has ended', async (t) => {
    const proxies = [await startKubeProxy(t, api), await startKubeProxy(t, api)] as const;
    const [first, second] = proxies;
    const one = await open(t, new Map(), { identity: 'a' }, proxyKubeconfig(api, first));
    await settled();
    const two = await open(t, new Map(), { identity: 'b' }, proxyKubeconfig(api, second));
    for (let round = 0; round < 3; round += 1) await settled();
    await until(
      'looks at the Lease',
      () => second.asked.filter((path) => path.includes('/leases/')).length > 3,
    );
    t.equal(second.asked.filter(isStatus).length, 0);
    t.ok(first.asked.filter(isStatus).length >= 4);
    one.stop();
    await settled();
    t.equal(second.asked.filter(isStatus).length, 1, 'what is new, and nothing else');
    two.stop();
  });

  await t.test('429: nothing before the server wants it', async (t) => {
    const proxy = await startKubeProxy(t, api);
    const at: number[] = [];
    proxy.spoil = (path) => {
      if (!isStatus(path)) return undefined;
      at.push(performance.now());
      return at.length > 1
        ? undefined
        : { answer: { status: 429, body: 'Too many requests', retryAfter: '2' } };
    };
    const { seen, stop } = await open(t, new Map(), {}, proxyKubeconfig(api, proxy));
    await settled();
    const [first = 0, second = 0] = at;
    t.ok(second - first >= 2_000, `${second - first}`);
    t.strictSame(seen.errors(), []);
    stop();
  });
});
