import fc from 'fast-check';
import t from 'tap';
import type { NodeScope } from '../../src/model/node.ts';
import type { GroupPlan } from '../../src/plan/types.ts';
import { Catalog } from '../../src/translate/catalog.ts';
import type { ScopeChange } from '../../src/translate/changes.ts';
import type { ScopeContext } from '../../src/translate/resources.ts';
import { egress, hung, idcs, ingress, nameOf, plansOf, sidecar, surroundings } from './fixture.ts';

const scopes: Readonly<Record<string, NodeScope>> = {
  ingress,
  egress,
  silent: { role: 'sidecar', idc: 'sh-a', namespace: 'n0' },
  n0: sidecar('n0'),
  n1: sidecar('n1'),
  n0z1: sidecar('n0', undefined, 'z1'),
  n0z2: sidecar('n0', undefined, 'z2'),
  picks: sidecar('n0', ['h1', 'h2', 'nobody']),
  passes: { ...sidecar('n0'), unknownHosts: 'pass' } as NodeScope,
  nothing: sidecar('n1', []),
};

t.test('changes bring each scope to the state that a new client would get', async () => {
  const group = fc.record({
    host: fc.constantFrom('h0', 'h1', 'h2', 'h3'),
    namespace: fc.constantFrom('n0', 'n1'),
    address: fc.constantFrom('10.0.0.1', '10.0.0.2'),
    hops: fc.constantFrom(0 as const, 1 as const, 2 as const),
    zonal: fc.boolean(),
    gone: fc.boolean(),
  });
  const step = fc.record({
    groups: fc.array(group, { maxLength: 3 }),
    opens: fc.subarray(Object.keys(scopes)),
    hungGateways: fc.option(fc.subarray([...hung]), { nil: undefined }),
    hungIdcs: fc.subarray(['bj-c']),
    rebuilt: fc.integer({ min: 0, max: 2 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), fc.constantFrom(0, 1, 250), (steps, rebuiltMax) => {
      const catalog = new Catalog({ rebuiltMax });
      catalog.updateContext(idcs, surroundings);
      const held = new Map<string, Map<string, string>>();
      const take = (key: string, { upserts, removals }: ScopeChange) => {
        const has = held.get(key) ?? new Map();
        held.set(key, has);
        for (const one of upserts) has.set(nameOf(one), JSON.stringify(one.message));
        for (const one of removals) has.delete(nameOf(one));
      };
      // Whatever hangs at a time, hangs for all Groups.
      const all = new Map<string, (hungIdcs: readonly string[]) => readonly GroupPlan[]>();
      const planned = (hosts: Iterable<string>, hungIdcs: readonly string[]) =>
        new Map([...hosts].map((host) => [host, all.get(host)?.(hungIdcs) ?? []]));
      let isHung: readonly string[] = [];
      let around: ScopeContext = surroundings;
      for (const { groups, opens, hungGateways, hungIdcs, rebuilt } of steps) {
        if (hungGateways !== undefined) {
          around = { ...surroundings, hungGateways };
          for (const [key, change] of catalog.updateContext(idcs, around)) take(key, change);
        }
        for (const key of opens) {
          held.delete(key);
          take(key, { upserts: catalog.open(key, scopes[key] as NodeScope), removals: [] });
        }
        for (const { host, namespace, address, hops, zonal, gone } of groups)
          all.set(host, (hung) => (gone ? [] : plansOf(host, namespace, address, hops, zonal, hung)));
        const isEveryOne = hungIdcs.join() !== isHung.join();
        isHung = hungIdcs;
        const hosts = isEveryOne ? all.keys() : groups.map(({ host }) => host);
        for (const [key, change] of catalog.update(planned(hosts, isHung))) take(key, change);
        for (const [key, change] of catalog.rebuildStale(rebuilt)) take(key, change);
      }
      while (catalog.stale > 0) for (const [key, change] of catalog.rebuildStale(1)) take(key, change);
      const fresh = new Catalog();
      fresh.updateContext(idcs, around);
      fresh.update(planned(all.keys(), isHung));
      for (const [key, has] of held) {
        const now = fresh.open(key, scopes[key] as NodeScope);
        const expected = new Map(now.map((one) => [nameOf(one), JSON.stringify(one.message)]));
        const sorted = (map: Map<string, string>) => [...map].sort();
        if (JSON.stringify(sorted(has)) !== JSON.stringify(sorted(expected)))
          throw new Error(`${key}: ${[...has.keys()]} instead of ${[...expected.keys()]}`);
      }
    }),
    { numRuns: 300 },
  );
});
