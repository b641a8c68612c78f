import t from 'tap';
import { runValidate } from '../../../src/cli/validate.ts';
import { parseObject } from '../../../src/registry/parse/object.ts';
import { TestFolder } from '../folder-fixture.ts';
import { drGroup, idc, type RawObject, service, toYaml } from '../objects.ts';

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

t.test('a failback without effect is reported', async (t) => {
  const folder = new TestFolder(t);
  const told = async (spec: object, annotations: object = {}, own: Record<string, unknown> = {}) => {
    const entry = service('s', 'a.example', own);
    const labels = { tier: 'web' };
    const annotated = { ...entry, metadata: { ...entry.metadata, labels, annotations } };
    folder.write('mesh.yaml', toYaml(idc('sh-a'), idc('sh-b'), annotated as RawObject, withSpec(spec)));
    let out = '';
    const take = (text: string) => {
      out += text;
    };
    await runValidate([folder.path], { output: 'table' }, { out: take, err: take });
    return /spec\.failback: (has no effect[^.]*)/.exec(out)?.[1];
  };
  const health = { path: '/up' };
  const path = { 'isthmus.dev/health-path': '/up' };
  const unchecked = /without health checks/;
  t.match(await told({ failback: {} }), unchecked);
  t.equal(await told({ failback: {}, traffic: { health } }), undefined);
  t.equal(await told({ failback: {} }, path), undefined);
  t.equal(await told({}), undefined);

  const selected = { hosts: undefined, selector: { matchLabels: { tier: 'web' } }, failback: {} };
  t.match(await told(selected), unchecked, 'also where a selector covers it');
  t.equal(await told(selected, path), undefined);
  const off = { ...health, ports: { http: { enabled: false } } };
  t.match(await told({ failback: {}, traffic: { health: off } }), unchecked, 'its only port is not asked');
  const grpc = { ports: [{ number: 80, name: 'grpc', protocol: 'GRPC' }] };
  t.match(
    await told({ failback: {}, traffic: { health } }, {}, grpc),
    unchecked,
    'gRPC is not asked by HTTP',
  );
  t.equal(await told({ failback: {}, traffic: { health: { grpc: true } } }, {}, grpc), undefined);

  const stays = { failback: {}, hopLimit: 0, traffic: { health } };
  t.match(await told(stays), /with hopLimit 0 no request leaves/);
  const unseen = /only instances at HTTP, HTTP2 and GRPC ports .* resolution STATIC/;
  const tcp = { ports: [{ number: 80, name: 'tcp', protocol: 'TCP' }] };
  t.match(await told({ failback: {} }, {}, tcp), unseen);
  const byName = {
    resolution: 'DNS',
    workloadSelector: undefined,
    endpoints: [{ address: 'x.example', locality: 'sh-a' }],
  };
  t.match(await told({ failback: {}, traffic: { health } }, {}, byName), unseen);
});
