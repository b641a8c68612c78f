import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock as clock } from '../../src/base/clock.ts';
import { seededRandom } from '../../src/base/random.ts';
import { readKubeconfig } from '../../src/kube/config/kubeconfig.ts';
import { createKubernetesSource } from '../../src/registry/kubernetes/kubernetes-source.ts';
import { keepLastGood } from '../../src/registry/lastgood/last-good-source.ts';
import { workload } from '../registry/objects.ts';
import { Recorder } from '../registry/recorder.ts';
import { KubeApi, withoutKube } from '../support/kube/kube-api.ts';
import { defineKinds, pathOf, putObject } from '../support/kube/kube-kinds.ts';
import { quickTiming } from '../support/kube/kube-world.ts';
import { until } from '../support/mesh.ts';

/** Starts a source as `isthmus serve` does, with a folder of state or without. */
function startSource(t: Test, file: string, folder?: string) {
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const source = keepLastGood(
    {
      open: () =>
        createKubernetesSource(
          { access: () => readKubeconfig({ file }, clock), clock, random: seededRandom(1) },
          { timing: quickTiming },
        ),
      ...{ idc: 'sh-a', clock, startMs: 500 },
      ...(folder !== undefined && { folder }),
    },
    { writeMsMin: 1, retryMs: 10, confirmMs: 20 },
  );
  const seen = new Recorder();
  return { source, seen, started: source.start(seen, stop.signal), stop: () => stop.abort() };
}

t.test('starts with an API server that is away', { skip: withoutKube }, async (t) => {
  const api = await KubeApi.start(t);
  await defineKinds(api);
  await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
  for (let at = 0; at < 5; at += 1) await putObject(api, workload(`w-${at}`));
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-state-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = api.kubeconfig();

  const first = startSource(t, file, folder);
  await first.started;
  await until('the state is on disk', () => first.source.facets.lastGood.status().writtenAt !== undefined);
  t.equal(first.source.facets.lastGood.status().from, 'source');

  await t.test('it goes while the control plane runs: the state is not marked as current', async (t) => {
    await api.stopServer();
    const { seen, source } = first;
    await seen.until('that it is away', () => seen.errors().some(({ code }) => code === 'SourceNotCurrent'));
    t.equal(seen.errors().length, 1, 'told once');
    const { from, reason } = source.facets.lastGood.status();
    t.equal(from, 'both');
    t.match(reason, /Since 20.*stay in force/);
    first.stop();
  });

  const second = startSource(t, file, folder);
  const alone = startSource(t, file);

  await t.test('with a last good state: from it, with its age', async (t) => {
    await second.started;
    t.equal(second.seen.log().at(-1), 'synced');
    t.equal(second.seen.state().size, 5);
    const { from, reason } = second.source.facets.lastGood.status();
    t.equal(from, 'snapshot');
    t.match(reason, /cannot be reached.*last good state, 5 objects, known to be good until 20/);
  });

  await t.test('negative control: without one it waits, and says for what', async (t) => {
    await alone.seen.until('a word', () => alone.seen.errors().length > 0);
    t.match(alone.seen.errors()[0]?.message, /cannot be reached: .*ECONNREFUSED/);
    t.strictSame(alone.seen.log(), []);
  });

  await t.test('it is back: both are as it is, and what went meanwhile goes', async (t) => {
    await api.startServer();
    await api.must('DELETE', pathOf(workload('w-4')));
    await alone.started;
    await second.seen.until('the deletion', () => second.seen.count('-WorkloadEntry/shop/w-4') === 1, 30_000);
    await until('the source counts', () => second.source.facets.lastGood.status().from === 'source');
    await alone.seen.until('the deletion', () => alone.seen.state().size === 4);
    t.equal(second.seen.count('synced'), 1);
    t.strictSame(second.seen.errors(), []);
    t.strictSame(alone.seen.errors(), []);
  });
});

t.test('a kubeconfig that leads nowhere ends a start, with what to do', async (t) => {
  const { started } = startSource(t, '/nowhere/kubeconfig');
  await t.rejects(started, {
    code: 'invalid',
    message: /kubeconfig \/nowhere\/kubeconfig cannot be read: it does not exist.*Give a file/,
  });
});
