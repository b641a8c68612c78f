import { loadAll } from 'js-yaml';
import t from 'tap';
import { createIndex } from '../../src/index/store.ts';
import { createPlanner } from '../../src/plan/planner.ts';
import { parseObject } from '../../src/registry/parse/object.ts';
import { createServedReader } from '../../src/who/served.ts';
import type { AskedProxy, SeenClusters, SeenHost } from '../../src/who/types.ts';
import { manualClock } from '../support/manual-clock.ts';
import { entryYaml } from '../support/objects-yaml.ts';

// What looking for hosts that the IDC does not serve costs a proxy: an Envoy that filters is asked in
// steps, one that sends everything once.

const hosts = Array.from({ length: 120 }, (_, i) => `h${String(i).padStart(3, '0')}`);
const yaml = hosts
  .map((name) =>
    entryYaml(
      name,
      'ports: [{number: 80, name: http, protocol: HTTP}]',
      'endpoints: [{address: 10.1.1.1, locality: sh-a}]',
    ),
  )
  .join('---\n');

/** A control plane's objects through index and plan, and a gateway; `last`: the health of the last host. */
function setup(isFiltering: boolean) {
  const clock = manualClock();
  const index = createIndex({ idc: 'sh-a' });
  index.apply(
    loadAll(yaml).map((document) => {
      const { object, faults } = parseObject(document, 'world.yaml');
      if (object === undefined) throw new Error(JSON.stringify(faults));
      return { type: 'upsert', object, at: 0 } as const;
    }),
  );
  const view = index.view();
  const planner = createPlanner({ localIdc: 'sh-a', hopLimit: 1, loopPrevention: 'on' });
  planner.update(view, { groups: new Set(view.groups.keys()), idcs: new Set() }, clock.wall());
  const gateway: AskedProxy = {
    ...{ node: 'in-1', role: 'ingress', peer: '127.0.0.1:5' },
    scope: {
      ...{ role: 'ingress', idc: 'sh-a' },
      ...{ edge: { address: '10.1.0.1', port: 80 }, peer: { address: '10.1.0.1', port: 81 } },
    },
    clusters: { address: '127.0.0.1', port: 1 },
  };
  const seen = (health: SeenHost['health']): SeenHost => ({
    ...{ address: '10.1.1.1:80', priority: 0, weight: 1, idc: 'sh-a', zone: '', health, why: [] },
    ...{ requests: 0, active: 0 },
  });
  const all: SeenClusters = new Map(
    hosts.map((name) => [
      `instances/${name}.shop:80`,
      [seen(name === hosts.at(-1) ? 'unhealthy' : 'healthy')],
    ]),
  );
  let reads = 0;
  const served = createServedReader({
    ...{ idc: 'sh-a', clock, view: () => view, plansOf: (host) => planner.plansOf(view, host) },
    ...{ gone: () => [], probe: async () => 'answers' },
    ...{ proxies: () => [gateway], evacuations: () => [], held: () => new Map() },
    async read(_, names) {
      reads += 1;
      return isFiltering ? new Map([...all].filter(([name]) => names.includes(name))) : all;
    },
  });
  return { served, reads: () => reads };
}

for (const [what, isFiltering, wanted] of [
  ['filters: in steps of 50 hosts', true, 3],
  ['sends all: once', false, 1],
] as const)
  t.test(`an Envoy that ${what}`, async (t) => {
    const { served, reads } = setup(isFiltering);
    const { notHere, groups, unknown } = await served();
    t.match({ groups, unknown }, { groups: 120, unknown: 0 });
    t.match(notHere, [{ host: `${hosts.at(-1)}.shop`, served: 'nobody', usable: 0 }]);
    t.equal(notHere.length, 1);
    t.equal(reads(), wanted);
  });
