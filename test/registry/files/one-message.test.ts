import t from 'tap';
import type { Finding } from '../../../src/model/finding.ts';
import { checkFolder } from '../../../src/registry/check/check-inputs.ts';

import { type Mesh, startMesh } from '../../support/mesh.ts';
import { TestFolder } from '../folder-fixture.ts';
import { drGroup, idc, type RawObject, service, toYaml, workload } from '../objects.ts';

// One mistake gives one message, whatever else refers to the object that has it.
const rule: RawObject = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'DestinationRule',
  metadata: { name: 'r', namespace: 'shop' },
  spec: { host: 'a.example', trafficPolicy: { outlierDetection: { maxEjectionPercent: 50 } } },
};
const group = drGroup('g', ['a.example'], 'sh-a', 'sh-b');
const good: Readonly<Record<string, RawObject>> = {
  'idc-a': idc('sh-a'),
  'idc-b': idc('sh-b'),
  entry: service('s', 'a.example'),
  first: workload('w1', { ports: { http: 8080 } }),
  second: workload('w2', { locality: 'sh-b/zone-1' }),
  third: workload('w3'),
  rule,
  group,
};

const broken = (name: string, spec: Record<string, unknown>): string => {
  const object = good[name] as RawObject;
  return toYaml({ ...object, spec: { ...object.spec, ...spec } });
};

/** What stands in one file in place of what is good: one mistake each. */
const mistakes: readonly (readonly [what: string, file: string, text: string | Buffer])[] = [
  ['an Idc', 'idc-b', broken('idc-b', { ingress: 'none' })],
  ['a ServiceEntry', 'entry', broken('entry', { ports: [{ number: 0, name: 'http', protocol: 'HTTP' }] })],
  ['a list that is none', 'entry', broken('entry', { hosts: 'a.example' })],
  ['a word that nobody knows', 'entry', broken('entry', { resolution: 'STATIKC' })],
  ['a label that is no text', 'entry', broken('entry', { workloadSelector: { labels: { app: 7 } } })],
  ['labels that are none', 'entry', broken('entry', { workloadSelector: { labels: 'app' } })],
  ['a balancer that is none', 'rule', broken('rule', { trafficPolicy: { loadBalancer: 'RANDOM' } })],
  ['a WorkloadEntry', 'first', broken('first', { weight: -1 })],
  ['a DestinationRule', 'rule', broken('rule', { host: 7 })],
  ['a DrGroup', 'group', broken('group', { hosts: 7 })],
  ['an Idc without a name', 'idc-b', toYaml({ ...good['idc-b'], metadata: {} })],
  ['a ServiceEntry without a name', 'entry', toYaml({ ...good.entry, metadata: {} })],
  ['a kind that is none', 'entry', toYaml({ ...good.entry, kind: 'ServiceEntri' })],
  ['a ServiceEntry that is no YAML', 'entry', 'kind: ServiceEntry\nspec: [\n'],
  ['an Idc that is no YAML', 'idc-b', 'kind: Idc\nspec: [\n'],
  ['an encoding', 'idc-b', Buffer.from(`\ufeff${toYaml(good['idc-b'])}`, 'utf16le')],
  ['no mistake but a name: of an IDC', 'group', toYaml(drGroup('g', ['a.example'], 'sh-a', 'sh-x'))],
  ['no mistake but a name: of a host', 'group', toYaml(drGroup('g', ['b.example'], 'sh-a', 'sh-b'))],
  ['no mistake but a label', 'more', toYaml(workload('w4', { labels: { app: 'other' } }))],
  ['no mistake but a locality', 'more', toYaml(workload('w4', { locality: 'sh-x/zone-1' }))],
];

const texts = (file: string, text: string | Buffer): [string, string | Buffer][] => [
  ...Object.entries(good).map(([name, object]): [string, string | Buffer] => [name, toYaml(object)]),
  [file, text],
];

const shown = (list: readonly Finding[]) =>
  list.map(({ where, path, message }) => `${where} ${path} ${message}`);

t.test('every fault has a message', async (t) => {
  const folder = new TestFolder(t);
  for (const [name, object] of Object.entries(good)) folder.write(`${name}.yaml`, toYaml(object));
  t.strictSame(shown((await checkFolder(folder.path)).problems), []);
});

for (const [what, file, text] of mistakes) {
  t.test(what, async (t) => {
    const folder = new TestFolder(t);
    for (const [name, content] of texts(file, text)) folder.write(`${name}.yaml`, content);
    const told = shown((await checkFolder(folder.path)).problems);
    t.equal(told.length, 1, told.join('\n'));

    const files = Object.fromEntries(texts(file, text).map(([name, content]) => [`${name}.yaml`, content]));
    const mesh: Mesh = await startMesh('sh-a', files as Record<string, string>);
    t.teardown(() => mesh.close());
    const live = shown(mesh.plane.problems());
    t.equal(live.length, 1, live.join('\n'));
  });
}
