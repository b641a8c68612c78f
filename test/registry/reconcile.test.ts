import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { startControlPlane } from '../../src/controlplane.ts';
import { type MeshObject, refKey, refOf } from '../../src/model/object.ts';
import { keepLastGood } from '../../src/registry/lastgood.ts';
import { createReconciler } from '../../src/registry/reconcile.ts';
import { until } from '../support/mesh.ts';
import { createRawSource } from '../support/raw-source.ts';
import { idc, service, workload } from './objects.ts';
import { Recorder } from './recorder.ts';

const clock = systemClock;

for (const [what, reconcileMs] of Object.entries({ compared: 5, 'not compared': 1e9 })) {
  t.test(`a source that loses events, ${what}`, async (t) => {
    const raw = createRawSource([
      idc('sh-a'),
      service('s', 'a.example'),
      workload('a'),
      workload('b'),
      workload('c'),
    ]);
    const source = keepLastGood({ open: () => raw, idc: 'sh-a', clock, timing: { reconcileMs } });
    const seen = new Recorder();
    const stop = new AbortController();
    t.teardown(() => stop.abort());
    await source.start(seen, stop.signal);
    raw.put(workload('a', { weight: 2 }));
    await new Promise((resolve) => setTimeout(resolve, 50));
    t.equal(source.lastGood().repaired, 0, 'nothing is wrong, nothing is repaired');
    raw.putUnseen(workload('b', { weight: 7 }), workload('new'));
    raw.removeUnseen([raw.stored.get('WorkloadEntry/shop/c') as MeshObject]);
    if (what === 'compared') await until('all is found', () => source.lastGood().repaired === 3);
    else await new Promise((resolve) => setTimeout(resolve, 100));
    const state = seen.state();
    const right = what === 'compared';
    t.equal(state.has('WorkloadEntry/shop/new'), right, 'an upsert that was lost');
    t.equal(state.has('WorkloadEntry/shop/c'), !right, 'a deletion that was lost');
    t.match(state.get('WorkloadEntry/shop/b'), { spec: { weight: right ? 7 : undefined } });
    t.equal(source.lastGood().repaired, right ? 3 : 0);
  });
}

t.test('what is on its way while it compares is no difference', async (t) => {
  const raw = createRawSource([workload('a')]);
  const inForce = new Map(raw.stored);
  const reconciler = createReconciler({
    list: () => raw.stored.values(),
    ...{ inForce, isHeld: () => false, now: () => 0 },
  });
  const { signal } = new AbortController();
  raw.putUnseen(workload('a', { weight: 2 }));
  t.same(await reconciler.compare(signal), [], 'seen once');
  raw.putUnseen(workload('a', { weight: 3 }));
  t.same(await reconciler.compare(signal), [], 'another difference, seen once');
  inForce.set('WorkloadEntry/shop/a', raw.stored.get('WorkloadEntry/shop/a') as MeshObject);
  t.same(await reconciler.compare(signal), [], 'it has arrived');
});

t.test('60,000 objects: compared without keeping anything waiting', { timeout: 120_000 }, async (t) => {
  const raw = createRawSource(Array.from({ length: 60_000 }, (_, i) => workload(`w-${i}`)));
  // Equal, but not the same: the dearest comparison there is.
  const inForce = new Map(
    [...raw.stored.values()].map((object) => [refKey(refOf(object)), structuredClone(object)]),
  );
  const reconciler = createReconciler({
    list: () => raw.stored.values(),
    ...{ inForce, isHeld: () => false, now: () => 0 },
  });
  let longestMs = 0;
  let last = performance.now();
  let done = false;
  const watch = () => {
    const now = performance.now();
    longestMs = Math.max(longestMs, now - last);
    last = now;
    if (!done) setImmediate(watch);
  };
  setImmediate(watch);
  const start = performance.now();
  const cpu = process.cpuUsage();
  t.same(await reconciler.compare(new AbortController().signal), []);
  done = true;
  const { user } = process.cpuUsage(cpu);
  t.comment(`${performance.now() - start} ms, ${user / 1000} ms of CPU; the longest slice: ${longestMs} ms`);
  t.ok(longestMs < 500, `${longestMs} ms`);
});

t.test('the whole control plane: what was lost reaches the groups, and is counted', async (t) => {
  const raw = createRawSource([idc('sh-a'), service('s', 'a.example'), workload('a')]);
  const source = keepLastGood({ open: () => raw, idc: 'sh-a', clock, timing: { reconcileMs: 5 } });
  const plane = await startControlPlane({
    ...{ idc: 'sh-a', sources: [source], xds: { address: '127.0.0.1', port: 0 }, hopLimit: 1 },
    ...{ clock, logger: silentLogger },
  });
  t.teardown(() => plane.close());
  raw.putUnseen(service('s2', 'b.example'));
  await until('it is there', async () =>
    /isthmus_groups\{idc="sh-a"\} 2/.test(await plane.metrics.registry.metrics()),
  );
  t.match(await plane.metrics.registry.metrics(), /isthmus_reconcile_repairs\{source="raw",idc="sh-a"\} 1/);
});
