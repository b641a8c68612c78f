import t from 'tap';
import type { Change } from '../../../src/model/object.ts';
import { inOrderOfStart, inSlices } from '../../../src/registry/lastgood/slices.ts';
import { drGroup, idc, serviceEntry, workloadEntry } from '../../index/fixture.ts';

const upsert = (object: Extract<Change, { type: 'upsert' }>['object']): Change => ({
  type: 'upsert',
  object,
  at: 0,
});
const synced: Change = { type: 'synced', source: 'files', at: 0 };

t.test('ServiceEntries come after what they select, and the end at last', async (t) => {
  const service = upsert(serviceEntry('shop/s', ['a.shop']));
  const others = [upsert(workloadEntry('shop/w', { app: 'a' })), upsert(idc('sh-a'))];
  const group = upsert(drGroup('g', ['a.shop']));
  const gone: Change = { type: 'delete', ref: { kind: 'ServiceEntry', namespace: 'shop', name: 'x' }, at: 0 };
  t.strictSame(inOrderOfStart([service, gone, ...others, synced, group]), [
    ...[...others, group],
    ...[service, gone],
    synced,
  ]);
  t.strictSame(inOrderOfStart([]), []);
});

t.test(
  'slices are handed over in order, each in a turn of its own, the last one to the caller',
  async (t) => {
    const list = Array.from({ length: 600 }, (_, i) => i);
    const seen: (readonly number[])[] = [];
    let turn = 0;
    const turns: number[] = [];
    const last = await inSlices(list, new AbortController().signal, (slice) => {
      seen.push(slice);
      turns.push(turn);
      setImmediate(() => {
        turn += 1;
      });
    });
    t.strictSame([...seen.flat(), ...last], list);
    t.ok(seen.length >= 2 && last.length > 0, `${seen.length} slices, and one of ${last.length}`);
    t.equal(new Set(turns).size, turns.length, 'no two in one turn');
  },
);
