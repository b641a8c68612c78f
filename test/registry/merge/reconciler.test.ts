import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { createIndex } from '../../../src/index/store.ts';
import { type MeshObject, refKey, refOf } from '../../../src/model/object.ts';
import { startControlPlane } from '../../../src/plane/controlplane.ts';
import { keepLastGood } from '../../../src/registry/lastgood/last-good-source.ts';
import { comparisonSlice, createReconciler } from '../../../src/registry/merge/reconciler.ts';
import { openSource } from '../../../src/registry/open.ts';
import { createRegistrationsSource } from '../../../src/registry/registrations/registrations-source.ts';
import type { Source } from '../../../src/registry/source.ts';
import { connectXds } from '../../support/clients/xds-client.ts';
import { watchLoopTurns } from '../../support/loop-turns.ts';
import { until } from '../../support/mesh.ts';
import { createRawSource, type RawSource } from '../../support/planes/raw-source.ts';
import { TestFolder } from '../folder-fixture.ts';
import { idc, service, toYaml, workload } from '../objects.ts';
import { readBody } from '../registrations/registration-world.ts';

const clock = systemClock;
const { signal } = new AbortController();

/** An index that has what these sources hold, and a reconciler between them. */
function compared(...sources: RawSource[]) {
  const index = createIndex({ idc: 'sh-a' });
  for (const source of [...sources].reverse())
    index.apply([...source.stored.values()].map((object) => ({ type: 'upsert', object, at: 0 })));
  const looks: number[] = [0];
  const reconciler = createReconciler({
    ...{ sources, clock, rankOf: () => 0, refs: () => index.refs() },
    indexHas(object) {
      looks.push((looks.pop() ?? 0) + 1);
      return index.hasExactly(object);
    },
    async breathe() {
      looks.push(0);
      await new Promise((resolve) => setImmediate(resolve));
    },
  });
  const compare = async () =>
    [...(await reconciler.compare(signal))].map(([rank, changes]) => [
      rank,
      ...changes.map((one) => (one.type === 'upsert' ? refKey(refOf(one.object)) : one.type)),
    ]);
  return { index, reconciler, compare, looks };
}

t.test('a lasting difference is repaired; one in progress is not', async (t) => {
  const raw = createRawSource([idc('sh-a'), service('s', 'a.example'), workload('a'), workload('b')]);
  const { index, reconciler, compare } = compared(raw);
  t.same(await compare(), []);
  raw.putUnseen(workload('a', { weight: 2 }));
  t.same(await compare(), [], 'seen once');
  raw.putUnseen(workload('a', { weight: 3 }));
  t.same(await compare(), [], 'another difference, seen once');
  t.same(await compare(), [[0, 'WorkloadEntry/shop/a']], 'it stays');
  t.same(await compare(), [], 'not repaired twice for one finding');
  index.apply([{ type: 'upsert', object: raw.stored.get('WorkloadEntry/shop/a') as MeshObject, at: 0 }]);
  t.same(await compare(), []);
  t.same(await compare(), [], 'it has arrived');

  raw.removeUnseen([raw.stored.get('WorkloadEntry/shop/b') as MeshObject]);
  await compare();
  const during = compare();
  reconciler.noteEvents([
    { type: 'delete', ref: { kind: 'WorkloadEntry', namespace: 'shop', name: 'b' }, at: 0 },
  ]);
  t.same(await during, [], 'an event came meanwhile');
  t.same(await compare(), [], 'so it is looked at anew');
  t.same(await compare(), [[0, 'delete']]);
});

t.test('every kind is compared in all its content', async (t) => {
  const rule = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: 'r', namespace: 'shop' },
    spec: { host: 'a.example' },
  };
  const group = (hosts: string[]) => ({
    ...{ apiVersion: 'isthmus.dev/v1alpha1', kind: 'DrGroup', metadata: { name: 'g' } },
    spec: { hosts, idcs: [{ name: 'sh-a' }, { name: 'sh-b' }] },
  });
  const all = [idc('sh-a'), service('s', 'a.example'), workload('a'), rule, group(['a.example'])];
  const raw = createRawSource(all);
  const { compare } = compared(raw);
  t.same(await compare(), []);
  raw.putUnseen(
    {
      ...idc('sh-a'),
      spec: { ...idc('sh-a').spec, egress: [{ address: '10.0.0.9', sidecarPort: 1, ingressPort: 2 }] },
    },
    { ...service('s', 'a.example'), metadata: { name: 's', namespace: 'shop', labels: { tier: 'x' } } },
    workload('a', { address: '10.9.9.9' }),
    { ...rule, spec: { host: 'b.example' } },
    group(['b.example']),
  );
  await compare();
  const [found = []] = await compare();
  t.same(found.slice(1).sort(), [
    'DestinationRule/shop/r',
    'DrGroup//g',
    'Idc//sh-a',
    'ServiceEntry/shop/s',
    'WorkloadEntry/shop/a',
  ]);
});

t.test('of two sources with one name, the first counts', async (t) => {
  const first = createRawSource([workload('a')]);
  const second = createRawSource([workload('a', { weight: 9 }), workload('b')]);
  const { compare } = compared(first, second);
  t.same([await compare(), await compare()], [[], []]);
  second.putUnseen(workload('a', { weight: 8 }), workload('b', { weight: 8 }));
  await compare();
  t.same(await compare(), [[1, 'WorkloadEntry/shop/b']]);
  first.removeUnseen([first.stored.get('WorkloadEntry/shop/a') as MeshObject]);
  await compare();
  t.match(await compare(), [[1, 'WorkloadEntry/shop/a']], "the second's takes its place");
});

t.test('60,000 objects: compared without keeping anything waiting', { timeout: 120_000 }, async (t) => {
  const raw = createRawSource(Array.from({ length: 60_000 }, (_, i) => workload(`w-${i}`)));
  const { compare, looks } = compared(raw);
  // Equal, but not the same: the dearest comparison there is.
  raw.putUnseen(...Array.from({ length: 60_000 }, (_, i) => workload(`w-${i}`)));
  looks.splice(0, looks.length, 0);
  const turns = watchLoopTurns();
  t.same(await compare(), []);
  const longestMs = turns.stop();
  t.equal(
    looks.reduce((sum, one) => sum + one, 0),
    60_000,
    'each was looked at',
  );
  t.ok(Math.max(...looks) <= comparisonSlice.objects, `${Math.max(...looks)} in one slice`);
  t.comment(`${looks.length} slices, the longest turn of the loop ${longestMs} ms of CPU`);
  t.ok(longestMs < 500, `${longestMs} ms, ten times the 50 that a push may wait`);
});

/** A source whose events are lost while `lost.now`. */
function losing(source: Source, lost: { now: boolean }): Source {
  return {
    ...source,
    start(sink, stop) {
      const changes: typeof sink.changes = (batch) => {
        if (!lost.now) sink.changes(batch);
      };
      return source.start({ changes, problems: (list) => sink.problems(list) }, stop);
    },
  };
}

/**
 * A control plane over a folder and a file of registrations that both lose events, and what a proxy is told.
 */
async function world(t: Test, everyMs: number) {
  const folder = new TestFolder(t);
  folder.replace('mesh.yaml', toYaml(idc('sh-a'), service('s', 'a.example')));
  const state = mkdtempSync(join(tmpdir(), 'isthmus-reconcile-'));
  const files = keepLastGood({ open: () => openSource(folder.path, { clock }), idc: 'sh-a', clock });
  const registrations = createRegistrationsSource({ file: join(state, 'registrations.db'), clock });
  const lost = { now: false };
  const plane = await startControlPlane(
    {
      ...{ idc: 'sh-a', xds: { address: '127.0.0.1', port: 0 }, hopLimit: 1, clock, logger: silentLogger },
      sources: [losing(files, lost), losing(registrations, lost)],
    },
    { reconcileMs: everyMs },
  );
  const outbound = { address: '127.0.0.1', port: 15001 };
  const isthmus = { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound };
  const proxy = connectXds(`127.0.0.1:${plane.xds.port}`, 'delta', { id: 'p', metadata: { isthmus } });
  t.teardown(async () => {
    proxy.close();
    await plane.close();
    rmSync(state, { recursive: true });
  });
  let told = '';
  const listen = async () => {
    for (;;) {
      const response = await proxy.next();
      proxy.ack(response);
      if (response.type_url.endsWith('ClusterLoadAssignment')) told = JSON.stringify(response);
    }
  };
  proxy.send('CDS', { resource_names_subscribe: ['*'] });
  proxy.send('EDS', { resource_names_subscribe: ['instances/a.example:80'] });
  listen().catch(() => {});
  await until('it is ready', () => plane.readiness().ready);
  return {
    ...{ folder, files, registrations, lost },
    has: (address: string) => told.includes(`"${address}"`),
    repairs: async (source: string) => {
      const text = await plane.metrics.registry.metrics();
      const found = new RegExp(`isthmus_reconcile_repairs_total\\{source="${source}",[^}]*\\} (\\d+)`).exec(
        text,
      );
      return Number(found?.[1]);
    },
  };
}

const addressed = (name: string, address: string) => workload(name, { address, ports: { http: 80 } });

for (const [what, everyMs] of Object.entries({ compared: 20, 'not compared': 1e9 })) {
  const right = what === 'compared';

  t.test(`a folder that loses events, ${what}`, { timeout: 120_000 }, async (t) => {
    const { folder, files, lost, has, repairs } = await world(t, everyMs);
    folder.replace('w.yaml', toYaml(addressed('w', '10.1.0.1')));
    await until('it is told', () => has('10.1.0.1'));
    t.equal(await repairs('files'), 0, 'nothing is wrong, nothing is repaired');
    const holds = (address: string) => JSON.stringify([...files.objects()]).includes(address);
    lost.now = true;
    folder.replace('w.yaml', toYaml(addressed('w', '10.1.0.2')));
    await until('it is read', () => holds('10.1.0.2'));
    lost.now = false;
    if (right) await until('it is put right', () => has('10.1.0.2'));
    folder.replace('v.yaml', toYaml(addressed('v', '10.1.0.9')));
    await until('what comes after is told', () => has('10.1.0.9'));
    t.equal(has('10.1.0.2'), right);
    t.equal(has('10.1.0.1'), !right);
    t.equal(await repairs('files'), right ? 1 : 0);
    t.equal(files.facets.lastGood.status().repaired, right ? 1 : 0);
    t.equal(await repairs('registrations'), 0);
  });

  t.test(`registrations that lose events, ${what}`, { timeout: 120_000 }, async (t) => {
    const { registrations, lost, has, repairs } = await world(t, everyMs);
    const key = (name: string) => ({ namespace: 'shop', name });
    const register = (name: string, address: string) =>
      registrations.submit(
        readBody(key(name), { address, ports: { http: 80 }, labels: { app: 'checkout' }, ttl: '1h' }),
      );
    await register('going', '10.2.0.1');
    await until('it is told', () => has('10.2.0.1'));
    lost.now = true;
    await registrations.submit({ type: 'deregister', key: key('going') });
    await register('coming', '10.2.0.2');
    lost.now = false;
    if (right) await until('both are put right', () => has('10.2.0.2') && !has('10.2.0.1'));
    await register('later', '10.2.0.9');
    await until('what comes after is told', () => has('10.2.0.9'));
    t.equal(has('10.2.0.1'), !right, 'the lost deletion');
    t.equal(has('10.2.0.2'), right, 'the lost registration');
    t.equal(await repairs('registrations'), right ? 2 : 0);
    t.equal(await repairs('files'), 0);
  });
}
