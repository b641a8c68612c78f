import t from 'tap';
import type { GroupPlan, PlannedLocality } from '../../src/plan/types.ts';
import { planForZone, preferredZone } from '../../src/plan/zone.ts';

const locality = (name: string, priority?: number): PlannedLocality => ({
  name,
  endpoints: [],
  ...(priority === undefined ? {} : { priority }),
});

/** Names of localities by priority, as a proxy of sh-a in `zone` sees them. */
function order(
  zone: string | undefined,
  localities: readonly PlannedLocality[],
  zonePreference = true,
): string[][] {
  const plan = { instances: localities, ...(zonePreference && { zonePreference }) } as unknown as GroupPlan;
  const near = preferredZone([plan], { idc: 'sh-a', ...(zone !== undefined && { zone }) });
  const found: string[][] = [];
  for (const { name, priority = 0 } of planForZone(plan, near).instances)
    found[priority] = [...(found[priority] ?? []), name];
  return found;
}

t.test('the own zone first', async (t) => {
  const all = ['sh-a/z1/rack1', 'sh-a/z1', 'sh-a/z10', 'sh-a/z2', 'sh-a', ''].map((name) => locality(name));
  const [own, rest] = [
    ['sh-a/z1/rack1', 'sh-a/z1'],
    ['sh-a/z10', 'sh-a/z2', 'sh-a', ''],
  ];
  t.strictSame(order('z1', all), [own, rest]);
  t.strictSame(order('z3', all), [all.map(({ name }) => name)], 'nobody in the own zone: no gap');
  t.strictSame(order(undefined, all), [all.map(({ name }) => name)]);
  t.strictSame(order('z1', all, false), [all.map(({ name }) => name)], 'the setting is off');
});

t.test('another IDC comes last, also its zone of that name', async (t) => {
  const all = [locality('sh-a/z1'), locality('sh-a/z2'), locality('sh-b/z1', 1), locality('sh-b/z2', 1)];
  t.strictSame(order('z2', all), [['sh-a/z2'], ['sh-a/z1'], ['sh-b/z1', 'sh-b/z2']]);
});
