import t from 'tap';
import { workload } from '../registry/objects.ts';
import { adminToken, KubeApi, withoutKube } from '../support/kube/kube-api.ts';
import { defineKinds, putObject } from '../support/kube/kube-kinds.ts';
import { type KubeProxy, proxyKubeconfig, startKubeProxy } from '../support/kube/kube-proxy.ts';
import { watchWorld } from '../support/kube/kube-world.ts';

// A real API server behind a proxy that spoils what it answers.

const ofInstances = (path: string) => path.includes('/workloadentries?');
const lists = (proxy: KubeProxy) => proxy.asked.filter((path) => path.includes('limit=')).length;

t.test('answers that are no good', { skip: withoutKube }, async (t) => {
  const api = await KubeApi.start(t);
  await defineKinds(api);
  await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
  for (let at = 0; at < 20; at += 1) await putObject(api, workload(`w-${at}`));
  const proxy = await startKubeProxy(t, api);
  const file = proxyKubeconfig(api, proxy);

  await t.test('429 at the start: asked again when it says, and no list page by page', async (t) => {
    let refusals = 0;
    const retryAfter = '1';
    const body = 'Too many requests, please try again later.';
    proxy.spoil = (path) => {
      if (!ofInstances(path) || refusals === 2) return undefined;
      refusals += 1;
      return { answer: { status: 429, body, retryAfter } };
    };
    const before = performance.now();
    const { seen, started, stop } = watchWorld(t, file);
    await started;
    t.ok(performance.now() - before >= 2_000, 'twice a second, as it was told');
    t.equal(seen.state().size, 20);
    t.equal(lists(proxy), 0);
    t.ok(seen.reports.flat().some(({ message }) => message.includes('429 Too many requests')));
    t.strictSame(seen.errors(), []);
    stop();
  });

  await t.test('a list that is cut within an object is no list', async (t) => {
    let cuts = 0;
    proxy.spoil = (path) => (ofInstances(path) && cuts++ < 3 ? { cutAfter: 3_000 } : undefined);
    const { seen, started, stop } = watchWorld(t, file);
    await started;
    t.equal(cuts > 3, true);
    t.strictSame(seen.log().filter((word) => word !== 'synced').length, 20, 'each once');
    t.ok(seen.reports.flat().some(({ message }) => /not whole JSON|ended before it was whole/.test(message)));
    stop();
  });

  await t.test('a watch that is cut: a new list, in which nothing is missing and nothing new', async (t) => {
    proxy.spoil = () => undefined;
    const { seen, started, source } = watchWorld(t, file);
    await started;
    const told = seen.all.length;
    for (let round = 0; round < 5; round += 1) {
      proxy.cut();
      const weight = 10 + round;
      await putObject(api, workload('w-7', { weight }));
      await seen.until(`round ${round}`, () => {
        const object = seen.state().get('WorkloadEntry/shop/w-7');
        return object?.kind === 'WorkloadEntry' && object.spec.weight === weight;
      });
    }
    t.equal(seen.all.length, told + 5);
    t.notOk(seen.all.some(({ type }) => type === 'delete'));
    t.equal([...source.objects()].length, 20);
  });

  await t.test('500 to everything: nothing goes, and it is told', async (t) => {
    proxy.spoil = () => undefined;
    const { seen, started, source } = watchWorld(t, file);
    await started;
    proxy.spoil = () => ({ answer: { status: 500, body: 'etcdserver: leader changed' } });
    proxy.cut();
    await seen.until('a word', () => seen.errors().length > 0);
    t.match(seen.errors()[0]?.message, /500 etcdserver: leader changed.*stay in force/);
    t.equal([...source.objects()].length, 20);
    proxy.spoil = () => undefined;
    await seen.until('its end', () => seen.errors().length === 0);
    t.notOk(seen.all.some(({ type }) => type === 'delete'));
  });

  await t.test('a certificate for another name is not accepted', async (t) => {
    const { seen } = watchWorld(t, api.kubeconfig({ token: adminToken }, proxy.url));
    await seen.until('a word', () => seen.errors().length > 0);
    t.match(seen.errors()[0]?.message, /its certificate, or ours, is not accepted.*certificate-authority/);
  });
});

t.test('an API server without WatchList: page by page', { skip: withoutKube }, async (t) => {
  const api = await KubeApi.start(t, ['--feature-gates=WatchList=false']);
  await defineKinds(api);
  await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
  for (let at = 0; at < 20; at += 1) await putObject(api, workload(`w-${at}`));
  const proxy = await startKubeProxy(t, api);
  const { seen, started } = watchWorld(t, proxyKubeconfig(api, proxy));
  await started;
  t.equal(seen.state().size, 20);
  t.ok(lists(proxy) >= 6, 'each kind by pages');
  await putObject(api, workload('w-7', { weight: 9 }));
  await seen.until('the change', () => seen.count('+WorkloadEntry/shop/w-7') === 2);
  proxy.cut();
  await putObject(api, workload('w-8', { weight: 9 }));
  await seen.until('the change', () => seen.count('+WorkloadEntry/shop/w-8') === 2);
  t.equal(seen.all.length, 23, 'nothing else: 20, synced, 2');
});
