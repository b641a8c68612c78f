import t from 'tap';
import { z } from 'zod';
import { renderPath } from '../../../src/model/values/field-path.ts';
import { parseObject } from '../../../src/registry/parse/object.ts';
import { documentSchemas } from '../../../src/registry/parse/own/schema.ts';

// Messages are ours, whatever stands in a field: none is the schema library's.
const foreign = /Invalid|Too (big|small)|expected|Unrecognized|must match pattern|undefined|NaN/;

const odd: readonly unknown[] = [
  ...[null, true, -1, 0.5, 1e12, '', 'x', 'ä b', '2026-99-99', 'x'.repeat(5000)],
  ...[[], [null], ['x', 'x'], [{}], {}, { x: 1 }, { x: { y: null } }, Array(2000).fill('a')],
];

/** Every field of a schema, with what leads to it. */
function* fieldsOf(schema: unknown, path: readonly string[] = []): Generator<readonly string[]> {
  if (path.length > 0) yield path;
  if (schema instanceof z.ZodOptional) return yield* fieldsOf(schema.unwrap(), path);
  if (schema instanceof z.ZodObject)
    for (const [key, of] of Object.entries(schema.shape)) yield* fieldsOf(of, [...path, key]);
  if (schema instanceof z.ZodArray) yield* fieldsOf(schema.element, [...path, '0']);
  if (schema instanceof z.ZodRecord) yield* fieldsOf(schema.valueType, [...path, 'key']);
}

/** An object with just `value` at the path; a step `0` is a list of one. */
const wrap = (path: readonly string[], value: unknown): unknown =>
  path.reduceRight((inner, key) => (key === '0' ? [inner] : { [key]: inner }), value);

for (const [kind, schema] of Object.entries(documentSchemas)) {
  t.test(`${kind}: whatever stands in whatever field`, async (t) => {
    const spec: unknown = schema.shape.spec;
    let told = 0;
    const paths = [...new Set([...fieldsOf(spec)].map((path) => path.join('/')))].map((path) =>
      path.split('/'),
    );
    t.ok(paths.length > 10);
    for (const path of paths) {
      for (const value of odd) {
        const raw = {
          apiVersion: 'isthmus.dev/v1alpha1',
          kind,
          metadata: { name: 'x' },
          spec: wrap(path, value),
        };
        const { faults } = parseObject(raw, 'x.yaml:1');
        const shown = faults.map((fault) => `${renderPath(fault.path)}: ${fault.message}`);
        for (const line of shown) if (foreign.test(line)) t.fail(line);
        if (new Set(shown).size < shown.length) t.fail(`told twice: ${shown.join('\n')}`);
        told += shown.length;
      }
    }
    t.ok(told > 100, `${told} faults`);
  });
}
