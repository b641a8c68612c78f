import t from 'tap';
import { workload } from '../registry/objects.ts';
import { KubeApi, withoutKube } from '../support/kube/kube-api.ts';
import { defineKinds, pathOf, putObject } from '../support/kube/kube-kinds.ts';
import { watchWorld } from '../support/kube/kube-world.ts';

// What lives in an API server that is away stays in force, and what changed meanwhile arrives.

t.test('an API server that is killed, stopped, compacted', { skip: withoutKube }, async (t) => {
  const api = await KubeApi.start(t);
  await defineKinds(api);
  await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
  const instances = Array.from({ length: 20 }, (_, at) => workload(`w-${at}`));
  for (const one of instances) await putObject(api, one);
  const { seen, source, started } = watchWorld(t, api.kubeconfig());
  await started;
  const isAway = () => seen.errors().some(({ code }) => code === 'SourceNotCurrent');
  const count = () => [...source.objects()].length;

  t.test('killed: noticed, told, nothing goes; back: no relist tells of what did not change', async (t) => {
    const told = seen.all.length;
    const before = performance.now();
    await api.stopServer();
    await seen.until('that it is away', isAway);
    t.ok(performance.now() - before < 10_000, `noticed after ${Math.round(performance.now() - before)} ms`);
    t.match(seen.errors()[0]?.message, /cannot be reached: .*ECONNRE(?:FUSED|SET).*stay in force/);
    t.equal(count(), 20);
    t.match(source.facets.lastGood !== 'none' && source.facets.lastGood.status().reason, /stay in force/);
    await api.startServer();
    await seen.until('that it is back', () => !isAway(), 30_000);
    t.equal(seen.all.length, told, 'nothing came twice, nothing went');
    await putObject(api, workload('w-0', { weight: 7 }));
    await seen.until('the change', () => seen.all.length === told + 1);
  });

  t.test('changed and deleted while nobody watched: a relist tells of exactly that', async (t) => {
    await api.stopServer('SIGTERM');
    await seen.until('that it is away', isAway);
    // Straight into etcd, as another API server would.
    const key = (name: string) =>
      Buffer.from(`/registry/networking.istio.io/workloadentries/shop/${name}`).toString('base64');
    await api.etcd('/v3/kv/deleterange', { key: key('w-1') });
    const told = seen.all.length;
    await api.startServer();
    await seen.until('the deletion', () => seen.count('-WorkloadEntry/shop/w-1') === 1, 30_000);
    t.equal(seen.all.length, told + 1);
    t.equal(count(), 19);
  });

  t.test('etcd is compacted: the watch goes on', async (t) => {
    const revision = Number(
      (
        (await api.must('GET', '/apis/networking.istio.io/v1/workloadentries')) as {
          metadata: { resourceVersion: string };
        }
      ).metadata.resourceVersion,
    );
    await api.etcd('/v3/kv/compaction', { revision: String(revision), physical: true });
    await putObject(api, workload('w-2', { weight: 3 }));
    await seen.until('the change', () => seen.count('+WorkloadEntry/shop/w-2') === 2);
    t.equal(count(), 19);
  });

  t.test('stopped: noticed within 10 s, though its kernel answers; changes made after arrive', async (t) => {
    // The caches of kinds fill one after the other.
    await seen.until('that all kinds are back', () => !isAway(), 30_000);
    const before = performance.now();
    api.signal('SIGSTOP');
    await seen.until('that it is away', isAway, 20_000);
    const ms = Math.round(performance.now() - before);
    t.ok(ms < 10_000, `noticed after ${ms} ms`);
    t.match(seen.errors()[0]?.message, /has not answered for 6 s/);
    t.equal(count(), 19);
    api.signal('SIGCONT');
    await seen.until('that it is back', () => !isAway(), 30_000);
    await api.must('DELETE', pathOf(workload('w-3')));
    await seen.until('the deletion', () => seen.count('-WorkloadEntry/shop/w-3') === 1);
    t.equal(count(), 18);
  });
});
