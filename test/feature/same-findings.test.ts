import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { Finding } from '../../src/model/finding.ts';
import { startControlPlane } from '../../src/plane/controlplane.ts';
import { checkFolder } from '../../src/registry/check/check-inputs.ts';
import { openSource } from '../../src/registry/open.ts';
import { TestFolder } from '../registry/folder-fixture.ts';
import { drGroup, idc, type RawObject, service, toYaml, workload } from '../registry/objects.ts';
import { startMesh, until } from '../support/mesh.ts';

// The same objects give the same findings from `isthmus validate` and from a control plane: both ask
// src/agreement/. `where` differs: validate looks up line and column of a field, a control plane names the
// line where the object begins.

/** What a control plane over a folder tells at `/problems`. */
async function live(t: Test, folder: string): Promise<readonly Finding[]> {
  const plane = await startControlPlane({
    ...{ idc: 'sh-a', hopLimit: 1, clock: systemClock, logger: silentLogger },
    ...{ sources: [openSource(folder, { clock: systemClock })], xds: { address: '127.0.0.1', port: 0 } },
  });
  t.teardown(() => plane.close());
  return plane.problems();
}

const shown = (list: readonly Finding[]) =>
  list
    .map(({ code, severity, ref, path, message }) => JSON.stringify([code, severity, ref, path, message]))
    .sort();

async function compare(t: Test, folder: string): Promise<readonly Finding[]> {
  const { problems } = await checkFolder(folder);
  t.same(shown(await live(t, folder)), shown(problems));
  return problems;
}

const bad = fileURLToPath(new URL('../registry/files/bad/', import.meta.url));
for (const name of readdirSync(bad)) {
  t.test(`a folder with faults: ${name}`, async (t) => {
    t.ok((await compare(t, `${bad}${name}`)).length > 0);
  });
}

const rule = (name: string, host: string): RawObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'DestinationRule',
  metadata: { name, namespace: 'shop' },
  spec: { host, trafficPolicy: { outlierDetection: { maxEjectionPercent: 10 } } },
});
const evacuation: RawObject = {
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'Evacuation',
  metadata: { name: 'e' },
  spec: { idc: 'sh-a', percent: 50, expires: '2020-01-01T00:00:00Z', reason: 'test' },
};
const whole = [
  ...[idc('sh-a'), idc('sh-b'), service('s', 'a.example'), workload('w1', { ports: { htp: 80 } })],
  ...[workload('w2', { locality: '' }), workload('w3', { labels: { app: 'other' } })],
  ...[workload('w4', { locality: 'sh-x/z' }), drGroup('g', ['a.example', 'b.example'], 'sh-a', 'sh-b')],
  ...[rule('r1', 'a.example'), rule('r2', 'a.example'), rule('r3', 'c.example'), evacuation],
];

t.test('objects without a fault of their own that disagree in many ways', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', toYaml(...whole));
  const codes = new Set((await compare(t, folder.path)).map(({ code }) => code));
  const some = ['UnknownPort', 'NoLocality', 'NotSelected', 'UnknownLocality', 'UnknownHost'] as const;
  for (const code of [...some, 'RuleConflict', 'EjectsNobody', 'EvacuationOver'] as const)
    t.ok(codes.has(code), code);
});

t.test('an empty folder, until it has a file', async (t) => {
  const folder = new TestFolder(t);
  t.match(await compare(t, folder.path), [{ code: 'FolderEmpty', severity: 'warning', where: folder.path }]);
  folder.write('mesh.yaml', toYaml(idc('sh-a')));
  t.same(await compare(t, folder.path), []);
});

t.test('objects in any order', async (t) => {
  const folder = new TestFolder(t);
  for (const [i, object] of whole.entries()) folder.write(`${String(99 - i)}.yaml`, toYaml(object));
  await compare(t, folder.path);
});

t.test('nothing is found where nothing is wrong', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', toYaml(idc('sh-a'), idc('sh-b'), service('s', 'a.example'), workload('w1')));
  t.same(await compare(t, folder.path), []);
});

t.test('a control plane looks again by itself, and counts what it finds', async (t) => {
  const mesh = await startMesh('sh-a', { 'mesh.yaml': toYaml(idc('sh-a'), service('s', 'a.example')) });
  t.teardown(() => mesh.close());
  const counted = async () => (await mesh.plane.metrics.registry.metrics()).split('\n');
  const told = (line: string) => line.includes('code="UnknownHost"') && line.endsWith(' 1');
  mesh.save('rule.yaml', toYaml(rule('r', 'b.example')));
  await until('the rule is counted', async () => (await counted()).some(told));
  mesh.save('rule.yaml', toYaml(rule('r', 'a.example')));
  await until('it is not any more', async () => !(await counted()).some(told));
});
