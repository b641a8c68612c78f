import t, { type Test } from 'tap';
import { type Evacuation, nextChangeAt, percentAt } from '../../../src/model/evacuation.ts';
import { checkFolder } from '../../../src/registry/check/check-inputs.ts';
import { parseObject } from '../../../src/registry/parse/object.ts';

const now = Date.parse('2026-03-01T12:00:00Z');
const hour = (hours: number) => new Date(now + hours * 3_600_000).toISOString();

function parse(spec: object) {
  const raw = { apiVersion: 'isthmus.dev/v1alpha1', kind: 'Evacuation', metadata: { name: 'e' }, spec };
  const { object, faults } = parseObject(raw, 'e.yaml');
  return { object, faults: faults.map(({ path, message }) => `${path.join('.')}: ${message}`) };
}

t.test('a whole one', async (t) => {
  const { object, faults } = parse({
    ...{ idc: 'sh-a', groups: ['B.shop.', 'a.shop', 'a.shop'], selector: { matchLabels: { dr: 'x' } } },
    ...{ percent: 80, starts: '2026-03-01T14:00:00+02:00', expires: hour(2), steps: [1, 10] },
    ...{ stepSeconds: 30, reason: 'why' },
  });
  t.strictSame(faults, []);
  t.match(object, {
    meta: { namespace: '', name: 'e' },
    spec: {
      ...{ idc: 'sh-a', groups: ['a.shop', 'b.shop'], selector: { dr: 'x' }, percent: 80 },
      ...{ startsAt: now, expiresAt: now + 7_200_000, steps: [1, 10], stepMs: 30_000, reason: 'why' },
    },
  });
  t.match(parse({ idc: 'sh-a', expires: hour(1) }).object, { spec: { percent: 100, groups: [], steps: [] } });
});

t.test('what is wrong with it is said', async (t) => {
  const cases: readonly [object, RegExp][] = [
    [{ idc: 'sh-a' }, /^spec.expires: is required/],
    [{ idc: 'sh-a', expires: 'tomorrow' }, /^spec.expires: must be a time with its offset, as RFC 3339/],
    [{ idc: 'sh-a', expires: '2026-03-01T14:00:00' }, /^spec.expires: must be a time with its offset/],
    [{ idc: 'sh-a', expires: hour(1), percent: 0 }, /^spec.percent: must be from 1 to 100; to end/],
    [{ idc: 'sh-a', expires: hour(1), percent: 120 }, /^spec.percent: must be from 1 to 100/],
    [{ idc: 'SH', expires: hour(1) }, /^spec.idc: must be an IDC's name/],
    [{ idc: 'sh-a', expires: hour(1), starts: hour(2) }, /^spec.expires: is not after `starts`/],
    [{ idc: 'sh-a', expires: hour(73), starts: hour(0) }, /^spec.expires: is more than 72 hours after/],
    [{ idc: 'sh-a', expires: hour(1), steps: [1] }, /^spec.steps: needs `starts`/],
    [
      { idc: 'sh-a', expires: hour(1), starts: hour(0), steps: [10, 10] },
      /^spec.steps.1: 10 is not more than/,
    ],
    [
      { idc: 'sh-a', expires: hour(1), starts: hour(0), percent: 20, steps: [30] },
      /^spec.steps.0: 30 is more than/,
    ],
    [{ idc: 'sh-a', expires: hour(1), stepSeconds: 5 }, /^spec.stepSeconds: has no effect without `steps`/],
    [{ idc: 'sh-a', expires: hour(1), selector: { matchLabels: {} } }, /matchLabels: selects nothing/],
    [{ idc: 'sh-a', expires: hour(1), groups: ['no host!'] }, /^spec.groups.0: .* is not a host/],
    [{ idc: 'sh-a', expires: hour(1), group: ['a.shop'] }, /^spec.group: unknown field.*groups/],
  ];
  for (const [spec, words] of cases) {
    const { object, faults } = parse(spec);
    t.equal(object, undefined, JSON.stringify(spec));
    t.match(faults.join('\n'), words);
  }
});

const mesh = `
apiVersion: isthmus.dev/v1alpha1
kind: Idc
metadata: {name: sh-a}
spec: &gateways
  ingress: [{address: 10.0.0.1, edgePort: 1, peerPort: 2}]
  egress: [{address: 10.0.0.2, sidecarPort: 3, ingressPort: 4}]
---
apiVersion: isthmus.dev/v1alpha1
kind: Idc
metadata: {name: sh-b}
spec:
  ingress: [{address: 10.0.1.1, edgePort: 1, peerPort: 2}]
  egress: [{address: 10.0.1.2, sidecarPort: 3, ingressPort: 4}]
---
apiVersion: isthmus.dev/v1alpha1
kind: DrGroup
metadata: {name: shop}
spec: {hosts: [a.shop], idcs: [{name: sh-a}, {name: sh-b}], capacity: {concurrentPerInstance: 100}}
${['a', 'lone']
  .map(
    (name) => `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: shop}
spec:
  hosts: [${name}.shop]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 10.0.2.1, locality: sh-a}]
`,
  )
  .join('')}`.replace(' &gateways', '');

/** What `validate` says of a mesh with these evacuations. */
const told = (t: Test, ...specs: readonly object[]) => toldOf(t, mesh, specs);

async function toldOf(t: Test, objects: string, specs: readonly object[]): Promise<string[]> {
  const evacuations = specs.map((spec, i) =>
    JSON.stringify({
      apiVersion: 'isthmus.dev/v1alpha1',
      kind: 'Evacuation',
      metadata: { name: `e${i}` },
      spec,
    }),
  );
  const folder = t.testdir({ 'mesh.yaml': [objects, ...evacuations].join('\n---\n') });
  const { problems } = await checkFolder(folder, now);
  return problems.map(({ severity, path, message }) => `${severity} ${path}: ${message}`);
}

t.test('validate says nothing of a good one', async (t) => {
  t.strictSame(await told(t, { idc: 'sh-a', groups: ['a.shop'], expires: hour(1) }), []);
});

t.test('validate names what a user would not see', async (t) => {
  const all = async (...specs: readonly object[]) => (await told(t, ...specs)).join('\n');
  const a = { idc: 'sh-a', groups: ['a.shop'], expires: hour(1) };
  t.match(await all({ ...a, expires: hour(-1) }), /^warning spec.expires: has passed/);
  t.match(await all({ ...a, expires: hour(73) }), /^warning spec.expires: is more than 72 hours away/);
  t.match(await all({ ...a, idc: 'sh-x' }), /^error spec.idc: no Idc is named 'sh-x'/);
  t.match(
    await all({ ...a, groups: ['b.shop'] }),
    /^warning spec.groups\[0\]: no ServiceEntry declares b.shop/,
  );
  t.match(
    await all({ ...a, groups: undefined, selector: { matchLabels: { x: 'y' } } }),
    /^warning spec.selector.matchLabels: no ServiceEntry has these labels/,
  );
  t.match(
    await all({ ...a, groups: undefined }),
    /^warning spec.idc: lone.shop will not leave sh-a: no DrGroup/,
  );
  const shut = mesh.replace('hosts: [a.shop],', 'hosts: [a.shop], hopLimit: 0,');
  t.match((await toldOf(t, shut, [a])).join('\n'), /spec.idc: a.shop will not leave sh-a: with hopLimit 0/);
  t.match(
    await all(a, { ...a, idc: 'sh-b' }),
    /a.shop will not leave sh-a: every other IDC(?:.|\n)*a.shop will not leave sh-b: every other IDC/,
  );
  t.match(await all(a, { ...a, percent: 50 }), /^warning spec.percent: Evacuation e0 says 100/);
  t.strictSame(
    await told(t, a, { ...a, percent: 50, starts: hour(2), expires: hour(3) }),
    [],
    'at other times',
  );
});

t.test('bounds of what may stand', async (t) => {
  const all = async (...specs: readonly object[]) => (await told(t, ...specs)).join('\n');
  const a = { idc: 'sh-a', groups: ['a.shop'], expires: hour(1) };
  const month = 30 * 24;
  const late = { ...a, starts: hour(month + 1), expires: hour(month + 2) };
  t.match(await all(late), /^warning spec.starts: is more than 30 days away/);
  t.equal(await all({ ...a, starts: hour(month), expires: hour(month + 1) }), '');
  t.match(
    await all({ ...a, expires: '9999-01-01T00:00:00Z' }),
    /^warning spec.expires: is more than 72 hours away: it is not in force before 9998-12-28T23:00:00Z/,
  );
  const stepped = { ...a, starts: hour(0), steps: [1, 10, 50], stepSeconds: 1_800 };
  t.match(
    await all(stepped),
    /^warning spec.steps\[2\]: 50, 100 % never leave: 50 % would begin at 2026-03-01T13:00:00Z, and it is over/,
  );
  t.match(
    await all({ ...stepped, stepSeconds: 1_200 }),
    /^warning spec.steps: 100 % never leave: 100 % would/,
  );
  t.equal(await all({ ...stepped, stepSeconds: 1_200, percent: 50 }), '', 'the last step is all');
  t.equal(await all({ ...stepped, stepSeconds: 1_199 }), '');
  const many = (count: number) => Array.from({ length: count }, () => a);
  t.equal(await all(...many(100)), '');
  t.match(await all(...many(101)), /^warning spec: there are 101 evacuations, and more than 100/);
});

t.test('one without a start is in force for the last of its time alone', async (t) => {
  const spec = (more: object) =>
    (parse({ idc: 'sh-a', expires: hour(1_000), ...more }).object as Evacuation).spec;
  const far = spec({});
  t.equal(percentAt(far, now), 0);
  t.equal(nextChangeAt(far, now), now + 927 * 3_600_000);
  t.equal(percentAt(far, now + 927 * 3_600_000 - 1), 0);
  t.equal(percentAt(far, now + 927 * 3_600_000), 100);
  t.equal(percentAt(far, now + 1_000 * 3_600_000), 0);
  const near = spec({ expires: hour(72) });
  t.equal(percentAt(near, now - 3_600_000), 100, 'by a clock that is an hour behind as well');
});
