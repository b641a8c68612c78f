import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { configJsonSchema } from '../../../src/config/schema.ts';
import { generateScenarioSchema } from '../../../src/drill/scenario/write-schema.ts';
import { checkFolder } from '../../../src/registry/check/check-inputs.ts';
import { readContent } from '../../../src/registry/files/documents.ts';
import { parseObject } from '../../../src/registry/parse/object.ts';
import { generateSchemas, schemaFolder } from '../../../src/registry/parse/own/write-schemas.ts';
import { drGroup, idc, workload } from '../objects.ts';

t.test('the published schemas are those of the code', async (t) => {
  const generated: Readonly<Record<string, string>> = {
    ...{ ...generateSchemas(), ...generateScenarioSchema() },
    'control-plane-config.json': configJsonSchema(),
  };
  t.strictSame(readdirSync(schemaFolder).sort(), Object.keys(generated).sort());
  for (const [name, text] of Object.entries(generated)) {
    t.equal(readFileSync(join(schemaFolder, name), 'utf8'), text, `${name}: run make schemas`);
  }
});

/**
 * The published file as a check: read back, so that what an editor sees is tested, not what it was made of.
 */
function checker(name: string): z.ZodType {
  return z.fromJSONSchema(JSON.parse(readFileSync(join(schemaFolder, name), 'utf8')));
}

const group = drGroup('g', ['a.example'], 'sh-a', 'sh-b');
const evacuation = {
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'Evacuation',
  metadata: { name: 'e' },
  spec: { idc: 'sh-a', expires: '2026-03-01T18:00:00Z' },
};
const withSpec = (raw: { spec: object }, spec: object) => ({ ...raw, spec: { ...raw.spec, ...spec } });
const cases: readonly [string, unknown, boolean][] = [
  ['idc.json', idc('sh-a'), true],
  ['idc.json', { ...idc('sh-a'), apiVersion: 'isthmus.dev/v1' }, false],
  ['idc.json', idc('Sh_A'), false],
  ['idc.json', withSpec(idc('sh-a'), { egress: [] }), false],
  ['idc.json', withSpec(idc('sh-a'), { ingres: [] }), false],
  ['idc.json', withSpec(idc('sh-a'), { ingress: [{ address: 'gw', edgePort: 1, peerPort: 2 }] }), false],
  [
    'idc.json',
    withSpec(idc('sh-a'), { ingress: [{ address: '10.0.0.1', edgePort: 0, peerPort: 2 }] }),
    false,
  ],
  ['drgroup.json', group, true],
  [
    'drgroup.json',
    withSpec(group, { traffic: { timeout: '1h5m3.5s', idempotentMethods: [], health: { path: '/x' } } }),
    true,
  ],
  ['drgroup.json', withSpec(group, { idcs: [{ name: 'a' }] }), false],
  ['drgroup.json', withSpec(group, { hopLimit: 5 }), false],
  ['drgroup.json', withSpec(group, { traffic: { timeout: '3' } }), false],
  ['drgroup.json', withSpec(group, { traffic: { retries: 4 } }), false],
  ['evacuation.json', evacuation, true],
  [
    'evacuation.json',
    withSpec(evacuation, {
      starts: '2026-03-01T17:00:00+02:00',
      steps: [1, 10],
      stepSeconds: 5,
      groups: ['a.b'],
    }),
    true,
  ],
  ['evacuation.json', withSpec(evacuation, { percent: 0 }), false],
  ['evacuation.json', withSpec(evacuation, { percent: 101 }), false],
  ['evacuation.json', withSpec(evacuation, { expires: '2026-03-01 18:00' }), false],
  ['evacuation.json', withSpec(evacuation, { expires: undefined }), false],
  ['evacuation.json', withSpec(evacuation, { starts: '2026-03-01T17:00:00Z', steps: [] }), false],
];

for (const [name, raw, good] of cases) {
  t.test(
    `${name} ${good ? 'takes' : 'rejects'} ${JSON.stringify((raw as { spec: unknown }).spec)}`,
    async (t) => {
      t.equal(checker(name).safeParse(raw).success, good);
      t.equal(parseObject(raw, '').object !== undefined, good, 'and so does the parser');
    },
  );
}

t.test('the combined schema checks our kinds and lets others be', async (t) => {
  const combined = JSON.parse(readFileSync(join(schemaFolder, 'isthmus.json'), 'utf8'));
  const kinds = combined.allOf.map(
    (rule: { if: { properties: { kind: { const: string } } } }) => rule.if.properties.kind.const,
  );
  t.strictSame(kinds, ['Idc', 'DrGroup', 'Evacuation']);
  for (const rule of combined.allOf) {
    const applies = z.fromJSONSchema(rule.if);
    const then = z.fromJSONSchema(rule.then);
    const ofKind = [idc('sh-a'), group, evacuation, workload('w')].filter(
      (raw) => applies.safeParse(raw).success,
    );
    t.equal(ofKind.length, 1);
    t.ok(ofKind.every((raw) => then.safeParse(raw).success));
    t.notOk(then.safeParse(workload('w')).success);
  }
});

t.test('the example in README.md is one that works', async (t) => {
  const text = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
  const [, example = ''] = /```yaml\n(.*?)```/s.exec(text) ?? [];
  const folder = t.testdir({ 'mesh.yaml': example });
  const { problems, objects } = await checkFolder(folder);
  t.strictSame(problems, []);
  t.equal(objects.length, 5);
});

t.test('the examples in docs/objects.md are good', async (t) => {
  const text = readFileSync(new URL('../../../docs/objects.md', import.meta.url), 'utf8');
  const examples = [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, example = '']) => example);
  t.equal(examples.length, 4);
  for (const example of examples) t.strictSame((await readContent('docs/objects.md', example)).problems, []);
});
