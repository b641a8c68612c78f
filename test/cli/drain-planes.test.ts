import t from 'tap';
import { findDrainPlanes } from '../../src/cli/drain/drain-planes.ts';
import type { NamedClient } from '../../src/client/deregistration.ts';

/** A control plane of an IDC that names these others; it answers when `gate` opens. */
function plane(
  idc: string,
  others: Readonly<Record<string, string[]>>,
  gate: () => Promise<void>,
): NamedClient {
  const body = {
    ...{ idc, items: [], instances: [] },
    others: Object.entries(others).map(([name, controlPlanes]) => ({ idc: name, controlPlanes })),
  };
  const call = async () => {
    await gate();
    return { isRefused: false, status: 200, body };
  };
  return { name: `${idc}:1`, client: { call, close: async () => {} } as unknown as NamedClient['client'] };
}

t.test('the control planes of other IDCs are asked at once: none waits for another', async (t) => {
  let asked = 0;
  const all = Promise.withResolvers<void>();
  const gate = async () => {
    asked += 1;
    if (asked === 3) all.resolve();
    await all.promise;
  };
  const away = new Map(['b', 'c', 'd'].map((idc) => [`${idc}:1`, plane(idc, {}, gate)]));
  const others = { b: ['b:1'], c: ['c:1'], d: ['d:1'], e: [], f: ['f:1'] };
  const named = [plane('a', others, async () => {})];
  const found = await findDrainPlanes(named, (name) => away.get(name), 'x');
  t.strictSame(
    found.planes.map(({ list }) => list.idc),
    ['a', 'b', 'c', 'd'],
  );
  t.strictSame(found.unnamed, ['e']);
  t.strictSame(found.missing, []);
});
