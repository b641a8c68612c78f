import t from 'tap';
import { createIndex } from '../../../src/index/store.ts';
import type { Evacuation } from '../../../src/model/evacuation.ts';
import type { MeshObject } from '../../../src/model/object.ts';
import { evacuationsAt } from '../../../src/plan/evacuation/evacuation.ts';
import { evacuationEffect, sendsAllAway } from '../../../src/plan/evacuation/evacuation-effect.ts';
import { drGroup, idc, meta, serviceEntry, upserts } from '../../index/fixture.ts';

const idcs = ['sh-a', 'sh-b'];
const evacuation = (name: string, idc: string): Evacuation => ({
  kind: 'Evacuation',
  meta: meta(name),
  spec: { idc, groups: [], percent: 100, expiresAt: 10_000, steps: [], stepMs: 1_000 },
});
const standing = drGroup('standing', ['web.shop'], undefined, idcs);
const near = drGroup('near', ['near.shop'], undefined, idcs);
const capacity = { concurrentPerInstance: 10 };

/** What an evacuation of sh-a would do, by the control plane of sh-a. */
function effect(more: readonly Evacuation[] = [], known: { hopLimit?: number; slotsBefore?: number } = {}) {
  const index = createIndex({ idc: 'sh-a' });
  index.apply(
    upserts(
      ...idcs.map((name) => idc(name)),
      { ...standing, spec: { ...standing.spec, traffic: { spill: capacity } } },
      { ...near, spec: { ...near.spec, hopLimit: 0 } },
      ...['web.shop', 'near.shop', 'lone.shop'].map((host) =>
        serviceEntry(`shop/${host}`, [host], {
          endpoints: [1, 2].map((i) => ({
            ...{ address: `10.0.0.${i}`, ports: {}, labels: {}, locality: 'sh-a/z1' },
          })),
        }),
      ),
      ...more,
    ),
  );
  const { hopLimit = 4, slotsBefore } = known;
  return evacuationEffect(index.view(), evacuation('e', 'sh-a'), {
    ...{ localIdc: 'sh-a', hopLimit, wallMs: 0, unreached: new Set(['10.0.0.2 80']) },
    slotsBeforeOf: () => slotsBefore,
  });
}

t.test('clients are sent elsewhere where every Group of the IDC leaves it', async (t) => {
  const away = (hosts: readonly string[], hopLimit = 4, more: readonly MeshObject[] = []) => {
    const index = createIndex({ idc: 'sh-a' });
    const endpoints = [{ address: '10.0.0.1', ports: {}, labels: {}, locality: 'sh-a/z1' }];
    const entries = hosts.map((host) => serviceEntry(`shop/${host}`, [host], { endpoints }));
    index.apply(
      upserts(...idcs.map((name) => idc(name)), standing, evacuation('a', 'sh-a'), ...entries, ...more),
    );
    return sendsAllAway(index.view(), evacuationsAt(index.view(), 0), 'sh-a', hopLimit);
  };
  t.equal(away(['web.shop']), true);
  t.equal(away(['web.shop', 'lone.shop']), false, 'a Group without another IDC is served here alone');
  t.equal(away(['web.shop'], 0), false);
  t.equal(away(['web.shop'], 4, [evacuation('b', 'sh-b')]), false);
  const elsewhere = [{ address: '10.0.1.1', ports: {}, labels: {}, locality: 'sh-b/z1' }];
  const lone = serviceEntry('shop/lone.shop', ['lone.shop'], { endpoints: elsewhere });
  t.equal(away(['web.shop'], 4, [lone]), true, 'one that has nobody here loses nothing');
});

t.test('which Groups leave, which stay, and why', async (t) => {
  t.strictSame(effect().leave, [{ host: 'web.shop', to: 'sh-b' }]);
  t.strictSame(effect().stay, [
    { host: 'lone.shop', why: 'alone' },
    { host: 'near.shop', why: 'no-hops' },
  ]);
  t.match(effect([evacuation('b', 'sh-b')]), {
    leave: [],
    stay: [{}, {}, { host: 'web.shop', why: 'last' }],
  });
  t.match(effect([], { hopLimit: 0 }).stay, [{}, {}, { host: 'web.shop', why: 'no-hops' }], 'of the mesh');
});

t.test('what the IDC has: who is not known to be dead, and what they bear', async (t) => {
  const web = (slotsBefore?: number) =>
    effect([], slotsBefore === undefined ? {} : { slotsBefore }).room.find(({ host }) => host === 'web.shop');
  t.strictSame(web(), { host: 'web.shop', instances: 2, well: 1, slots: 20, bears: 10, takes: 10 });
  t.equal(web(40)?.slotsBefore, 40);
  t.strictSame(
    effect().room.find(({ host }) => host === 'lone.shop'),
    { host: 'lone.shop', instances: 2, well: 1 },
    'nobody has said what an instance bears',
  );
});
