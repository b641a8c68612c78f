import t from 'tap';
import { checkAgreement } from '../../../src/agreement/agreement.ts';
import { trafficFromAnnotations } from '../../../src/model/annotations/annotations.ts';
import { renderPath } from '../../../src/model/values/field-path.ts';
import { parseObject } from '../../../src/registry/parse/object.ts';
import { drGroup, idc, type RawObject, service } from '../objects.ts';

function read(raw: unknown) {
  const { object, faults } = parseObject(raw, 'test.yaml:1');
  return { object, told: faults.map(({ path, message }) => `${renderPath(path)}: ${message}`) };
}

const withSpec = (raw: RawObject, spec: object): RawObject => ({ ...raw, spec: { ...raw.spec, ...spec } });
const withAnnotations = (raw: RawObject, annotations: object): RawObject => ({
  ...raw,
  metadata: { ...raw.metadata, annotations },
});
const group = (spec: object) =>
  withSpec(drGroup('g', ['a.example'], 'sh-a', 'sh-b'), { capacity: undefined, ...spec });

t.test('what is declared', async (t) => {
  t.match(read(withSpec(idc('sh-a'), { capacity: { concurrentPerInstance: 16 } })).object, {
    spec: { capacity: { concurrentPerInstance: 16 } },
  });
  const { object, told } = read(
    group({
      capacity: { concurrentPerInstance: 8, idcs: { 'sh-b': { concurrentPerInstance: 4 } } },
      spill: { share: '30%' },
      class: 'critical',
    }),
  );
  t.strictSame(told, []);
  t.strictSame(object?.kind === 'DrGroup' && object.spec.traffic.spill, {
    concurrentPerInstance: 8,
    concurrentByIdc: { 'sh-b': 4 },
    sharePercent: 30,
    class: 'critical',
  });
  const bare = read(group({})).object;
  t.equal(bare?.kind === 'DrGroup' && bare.spec.traffic.spill, undefined);
});

t.test('what is wrong with it', async (t) => {
  const bad: readonly [object, string][] = [
    [{ capacity: { concurrentPerInstance: 0 } }, 'must be a whole number of requests from 1 to 1000000'],
    [{ capacity: { concurrentPerInstance: '8' } }, 'must be a whole number of requests'],
    [{ capacity: { concurrentPerInstance: 1.5 } }, 'must be a whole number of requests'],
    [{ capacity: { perInstance: 8 } }, 'spec.capacity.perInstance: unknown field'],
    [
      { capacity: { idcs: { 'sh-c': { concurrentPerInstance: 4 } } } },
      'spec.capacity.idcs.sh-c: is not among spec.idcs',
    ],
    [{ capacity: { idcs: { 'sh-b': 4 } } }, 'spec.capacity.idcs.sh-b: must be a mapping'],
    [{ spill: { share: '0%' } }, "must be a share such as '30%', from 1% to 100%"],
    [{ spill: { share: '101%' } }, "must be a share such as '30%'"],
    [{ spill: { share: 0.3 } }, "must be a share such as '30%'"],
    [{ class: 'gold' }, 'must be one of critical, default'],
  ];
  for (const [spec, message] of bad) {
    const { object, told } = read(group(spec));
    t.equal(object, undefined, JSON.stringify(spec));
    t.ok(
      told.some((one) => one.includes(message)),
      `${JSON.stringify(spec)}: ${told.join('; ')}`,
    );
  }
  t.match(
    read(withSpec(idc('sh-a'), { capacity: {} })).told.join(),
    /spec\.capacity\.concurrentPerInstance: is required/,
  );
});

t.test('annotations of a ServiceEntry', async (t) => {
  const good = read(
    withAnnotations(service('s', 'a.example'), {
      'isthmus.dev/concurrent-per-instance': '12',
      'isthmus.dev/spill-share': '80%',
      'isthmus.dev/class': 'critical',
    }),
  );
  t.strictSame(good.told, []);
  t.strictSame(good.object?.kind === 'ServiceEntry' && trafficFromAnnotations(good.object).spill, {
    concurrentPerInstance: 12,
    sharePercent: 80,
    class: 'critical',
  });
  for (const [key, value] of [
    ['concurrent-per-instance', '0'],
    ['concurrent-per-instance', '1000001'],
    ['concurrent-per-instance', 'many'],
    ['spill-share', '80'],
    ['spill-share', '0%'],
    ['class', 'gold'],
  ] as const) {
    const { object, told } = read(
      withAnnotations(service('s', 'a.example'), { [`isthmus.dev/${key}`]: value }),
    );
    t.equal(object, undefined, `${key}: ${value}`);
    t.match(told.join(), key);
  }
});

t.test('what validate tells', async (t) => {
  const told = (...raws: readonly RawObject[]) =>
    checkAgreement({
      objects: raws.map((raw) => {
        const { object } = read(raw);
        if (object === undefined) throw new Error(JSON.stringify(read(raw).told));
        return object;
      }),
      wallMs: 0,
    }).map(({ object, path, message }) => `${object.kind} ${renderPath(path)}: ${message}`);
  const [a, b] = [idc('sh-a'), idc('sh-b')];
  const entry = service('s', 'a.example', {
    workloadSelector: undefined,
    endpoints: [{ address: '10.1.0.1', locality: 'sh-a/z' }],
  });
  const about = (list: readonly string[]) => list.filter((one) => /capacity|has no effect/.test(one));

  t.match(about(told(a, b, entry, group({}))), [
    /DrGroup spec\.idcs: no capacity of an instance is declared for sh-a, sh-b/,
  ]);
  t.strictSame(about(told(a, b, entry, group({ capacity: { concurrentPerInstance: 8 } }))), []);
  const halfKnown = group({ capacity: { idcs: { 'sh-a': { concurrentPerInstance: 8 } } } });
  t.match(about(told(a, b, entry, halfKnown)), [/DrGroup spec\.idcs\[1\]\.name: no capacity .* for sh-b:/]);
  const withDefault = (raw: RawObject) => withSpec(raw, { capacity: { concurrentPerInstance: 8 } });
  t.strictSame(about(told(withDefault(a), withDefault(b), entry, group({}))), []);
  t.match(about(told(withDefault(a), b, entry, group({ class: 'critical' }))), [
    /DrGroup spec\.class: no capacity .* for sh-b:/,
  ]);
  const annotated = withAnnotations(entry, { 'isthmus.dev/concurrent-per-instance': '8' });
  t.strictSame(about(told(a, b, annotated, group({}))), []);
  t.match(about(told(a, b, annotated)), [
    /ServiceEntry metadata\.annotations.*concurrent-per-instance.*: has no effect: no DrGroup/,
  ]);
  t.match(about(told(a, b, entry, group({ hopLimit: 0, spill: { share: '30%' } }))), [
    /DrGroup spec\.spill: has no effect: with hopLimit 0/,
  ]);
  t.strictSame(about(told(a, b, entry, group({ hopLimit: 0 }))), []);
  const tcp = withSpec(entry, { ports: [{ number: 3306, name: 'db', protocol: 'TCP' }] });
  t.match(about(told(a, b, tcp, group({ capacity: { concurrentPerInstance: 8 } }))), [
    /DrGroup spec\.capacity: has no effect: only requests/,
  ]);
  t.strictSame(about(told(a, b, tcp, group({}))), []);
  const named = withSpec(entry, {
    resolution: 'DNS',
    endpoints: [{ address: 'a.internal', locality: 'sh-a/z' }],
  });
  t.match(about(told(a, b, named, group({ capacity: { concurrentPerInstance: 8 } }))), [
    /DrGroup spec\.capacity: has no effect: only requests/,
  ]);
  const wild = withSpec(drGroup('g', ['*.example'], 'sh-a', 'sh-b'), { capacity: undefined });
  t.match(about(told(a, b, entry, wild)), [/no capacity of an instance/], 'a pattern covers it too');
});

t.test('a retry budget', async (t) => {
  const budgetOf = (raw: RawObject) => {
    const { object, told } = read(raw);
    if (object?.kind === 'DrGroup') return object.spec.traffic.retryBudget;
    return object?.kind === 'ServiceEntry' ? trafficFromAnnotations(object).retryBudget : told.join();
  };
  const traffic = (retryBudget: object) => group({ traffic: { retryBudget } });
  t.strictSame(budgetOf(traffic({ requestsPerSecond: 300 })), { requestsPerSecond: 300 });
  t.strictSame(budgetOf(traffic({ requestsPerSecond: 300, share: '35%' })), {
    requestsPerSecond: 300,
    sharePercent: 35,
  });
  t.match(budgetOf(traffic({})), /requestsPerSecond: is required/);
  t.match(budgetOf(traffic({ requestsPerSecond: 0 })), /must be a whole number/);
  t.match(budgetOf(traffic({ requestsPerSecond: 1, share: 0.2 })), /must be a share/);
  const annotated = (value: string) =>
    budgetOf(withAnnotations(service('s', 'a.example'), { 'isthmus.dev/retry-budget': value }));
  t.strictSame(annotated('300'), { requestsPerSecond: 300 });
  t.strictSame(annotated('300, 35%'), { requestsPerSecond: 300, sharePercent: 35 });
  for (const wrong of ['', '0', '20%', '300,35', '1.5', '99999999'])
    t.match(annotated(wrong), /is not a budget/, `'${wrong}'`);
});
