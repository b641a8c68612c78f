import t from 'tap';
import { runValidate } from '../../src/cli/validate.ts';
import { parseObject } from '../../src/registry/parse.ts';
import { TestFolder } from './folder-fixture.ts';
import { drGroup, idc, type RawObject, service, toYaml } from './objects.ts';

function withSpec(spec: object): RawObject {
  const raw = drGroup('g', ['a.example'], 'sh-a', 'sh-b');
  return { ...raw, spec: { ...raw.spec, ...spec } };
}

function read(failback: object) {
  const { object, faults } = parseObject(withSpec({ failback }), 'test.yaml');
  return { object, errors: faults.map(({ path, message }) => `${path.join('.')}: ${message}`) };
}

t.test('the way home of a DrGroup', async (t) => {
  t.match(read({}).object, { spec: { failback: { rampMs: 30_000, holdMs: 10_000 } } });
  t.match(read({ ramp: '1m', hold: '0s' }).object, { spec: { failback: { rampMs: 60_000, holdMs: 0 } } });
  t.match(read({ warmup: 'mirror' }).object, { spec: { failback: { warmup: 'mirror' } } });
  t.match(read({ warmup: 'none' }).object, { spec: { failback: { warmup: undefined } } });
  for (const [wrong, words] of [
    [{ ramp: '10ms' }, /^spec.failback.ramp: 10ms is too short: give at least 1000ms/],
    [{ ramp: '2h' }, /^spec.failback.ramp: .*too long: give at most 1h/],
    [{ hold: '61m' }, /^spec.failback.hold: .*too long/],
    [{ hold: 3 }, /^spec.failback.hold: /],
    [{ rump: '1s' }, /rump/],
    [{ warmup: 'slow' }, /^spec.failback.warmup: must be none or mirror/],
  ] as const) {
    const { object, errors } = read(wrong);
    t.equal(object, undefined);
    t.match(errors, [words]);
  }
});

t.test('one without health checks is told', async (t) => {
  const folder = new TestFolder(t);
  const told = async (spec: object, annotations: object = {}) => {
    const entry = service('s', 'a.example');
    const annotated = { ...entry, metadata: { ...entry.metadata, annotations } };
    folder.write('mesh.yaml', toYaml(idc('sh-a'), idc('sh-b'), annotated as RawObject, withSpec(spec)));
    let out = '';
    const take = (text: string) => {
      out += text;
    };
    await runValidate(folder.path, 'text', { out: take, err: take });
    return /spec\.failback: has no effect without health checks/.test(out);
  };
  t.ok(await told({ failback: {} }));
  t.notOk(await told({ failback: {}, traffic: { health: { path: '/up' } } }));
  t.notOk(await told({ failback: {} }, { 'isthmus.dev/health-path': '/up' }));
  t.notOk(await told({}));
});
